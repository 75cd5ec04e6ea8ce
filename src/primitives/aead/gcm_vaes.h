// AES-256-GCM by Intel's library for IPsec, where it and a processor with VAES are there.
#pragma once

#include "primitives/aead/gcm.h"

namespace mhp::primitives {

bool vaes_gcm_runs_here();
/// Where it runs.
std::unique_ptr<Gcm> make_vaes_gcm(const Key& key, GcmDirection direction);

}  // namespace mhp::primitives
