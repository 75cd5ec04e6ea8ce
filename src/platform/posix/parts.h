// What the real platform is put together from; the memory platform borrows the trees.
#pragma once

#include <memory>

#include "platform/disk.h"
#include "platform/random.h"
#include "platform/tree.h"

namespace mhp::platform {

std::unique_ptr<Disk> make_posix_disk();
std::unique_ptr<Trees> make_posix_trees();
/// The system's generator.
std::unique_ptr<Random> make_system_random();

}  // namespace mhp::platform
