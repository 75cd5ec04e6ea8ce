// What the real platform is put together from; the memory platform borrows the trees.
#pragma once

#include <memory>

#include "platform/disk.h"
#include "platform/network.h"
#include "platform/platform.h"
#include "platform/random.h"
#include "platform/tree.h"

namespace mhp::platform {

std::unique_ptr<Disk> make_posix_disk();
std::unique_ptr<Trees> make_posix_trees();
/// The system's generator.
std::unique_ptr<Random> make_system_random();
/// `platform` outlives it.
std::unique_ptr<Network> make_posix_network(Platform& platform);
/// Its part for groups. Network::join_group().
Result<std::unique_ptr<Datagrams>> join_posix_group(const asio::any_io_executor& loop, const Endpoint& at);

}  // namespace mhp::platform
