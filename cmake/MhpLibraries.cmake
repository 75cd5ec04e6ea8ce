# Libraries that Debian ships without a CMake or pkg-config file of their own.

# BLAKE3: C and assembly sources from the package librust-blake3-dev.
file(GLOB blake3_dirs /usr/share/cargo/registry/blake3-*/c)
if(NOT blake3_dirs)
  message(FATAL_ERROR "BLAKE3 C sources not found: install librust-blake3-dev (./dev does)")
endif()
list(GET blake3_dirs 0 blake3_dir)
add_library(mhp_blake3 STATIC ${blake3_dir}/blake3.c ${blake3_dir}/blake3_dispatch.c ${blake3_dir}/blake3_portable.c)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  foreach(part sse2 sse41 avx2 avx512)
    target_sources(mhp_blake3 PRIVATE ${blake3_dir}/blake3_${part}_x86-64_unix.S)
  endforeach()
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64")
  target_sources(mhp_blake3 PRIVATE ${blake3_dir}/blake3_neon.c)
endif()
target_include_directories(mhp_blake3 SYSTEM PUBLIC ${blake3_dir})
target_compile_options(mhp_blake3 PRIVATE -w)

# ISA-L: erasure code kernels.
find_library(ISAL_LIBRARY isal REQUIRED)
add_library(mhp_isal INTERFACE)
target_link_libraries(mhp_isal INTERFACE ${ISAL_LIBRARY})

# Intel's library for IPsec: AES-GCM with VAES. Where it is not there (it is for x86-64 only) OpenSSL does all.
find_library(IPSEC_MB_LIBRARY IPSec_MB)
find_path(IPSEC_MB_INCLUDE intel-ipsec-mb.h)
add_library(mhp_ipsec_mb INTERFACE)
if(IPSEC_MB_LIBRARY AND IPSEC_MB_INCLUDE)
  target_link_libraries(mhp_ipsec_mb INTERFACE ${IPSEC_MB_LIBRARY})
  target_compile_definitions(mhp_ipsec_mb INTERFACE MHP_HAS_IPSEC_MB)
endif()

# Standalone Asio: header only; clang has to be told that it may use coroutines.
add_library(mhp_asio INTERFACE)
target_compile_definitions(mhp_asio INTERFACE ASIO_STANDALONE ASIO_NO_DEPRECATED ASIO_HAS_CO_AWAIT ASIO_HAS_STD_COROUTINE
  # Asio finds this one out only where a standard header came before it, so files would differ in how they free memory.
  ASIO_HAS_STD_ALIGNED_ALLOC)
target_link_libraries(mhp_asio INTERFACE Threads::Threads)
