# What tests over several machines share: small internets of network namespaces.
