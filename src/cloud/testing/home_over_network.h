// For tests: a home over TLS, kept by a computer that is up: two machines of memory and the wires between.
#pragma once

#include <gtest/gtest.h>

#include "cloud/network_line.h"
#include "cloud/testing/computers.h"
#include "home/folder_home.h"
#include "home/home_contract_test.h"

namespace mhp::cloud::testing {

/// One computer that serves its folder home, and one of the same cloud that asks.
class HomeOverNetwork : public home::HomeWorld {
 public:
  explicit HomeOverNetwork(std::vector<VaultKey> keys) : keys_(std::move(keys)) {
    EXPECT_TRUE(home::create_folder_home(serving_.disk(), serving_.random(), "/home", serving_identity_.id()));
    Cloud cloud(ann_);
    cloud.let_in(ann_, ben_);
    EXPECT_TRUE(book_.add(cloud.roster));
    run(start());
  }
  ~HomeOverNetwork() override { run(stop()); }

  platform::Platform& machine() override { return shifted_; }
  void shift_clock(std::chrono::nanoseconds by) override { shifted_.clock().by += by; }
  std::unique_ptr<home::Home> open() override {
    run(restart());
    std::vector<net::Address> addresses{{serving_.address(), kPort}};
    auto line = make_network_line(*net_, serving_identity_.id(), std::move(addresses));
    return make_remote_home(asking_, serving_identity_.id(), std::move(line), keys_, {});
  }

 private:
  void run(Task<int> task) { EXPECT_EQ(world_.run(std::move(task)), 0); }

  Task<int> start() {
    auto opened = home::open_folder_home(shifted_, "/home", serving_identity_.id(), {});
    EXPECT_TRUE(opened) << opened.error().detail;
    home_ = std::move(*opened);
    Lending lending;
    lending.who = [this](const net::Peer& peer) { return service_->who(peer); };
    lending.quota_bytes = [](const net::Peer&, const VaultId&) { return 1_GiB; };
    lending.between_collects = std::chrono::nanoseconds(0);
    vaults_ = std::make_unique<HomeService>(shifted_, *home_, std::move(lending));
    service_ = std::make_unique<CloudService>(shifted_, book_, ann_.home, vaults_.get());
    answering_ = std::make_unique<net::Server>(serving_station_, *service_);
    std::vector<std::unique_ptr<platform::Listener>> listeners;
    listeners.push_back(std::move(*serving_.network().listen({"0.0.0.0", kPort})));
    serving_tasks_ = std::make_unique<platform::Nursery>(world_.executor());
    serving_tasks_->start(answering_->run(std::move(listeners)));
    calling_tasks_ = std::make_unique<platform::Nursery>(world_.executor());
    net_ = std::make_unique<net::Peers>(asking_station_, asking_.network(), *calling_tasks_);
    co_return 0;
  }
  Task<int> stop() {
    net_.reset();
    calling_tasks_->cancel();
    co_await calling_tasks_->join();
    answering_->stop(std::chrono::nanoseconds(0));
    co_await serving_tasks_->join();
    answering_.reset();
    service_.reset();
    vaults_.reset();
    home_.reset();
    co_return 0;
  }
  Task<int> restart() {
    auto stopping = stop();
    co_await std::move(stopping);
    auto starting = start();
    co_return co_await std::move(starting);
  }

  const Person ann_{"Ann"};
  const Person ben_{"Ben"};
  platform::MemoryWorld world_{1};
  platform::MemoryPlatform serving_{world_};
  platform::MemoryPlatform asking_{world_};
  home::ShiftedMachine shifted_{serving_};
  const net::Identity serving_identity_{test_seed_of("Ann's home")};
  const net::Identity asking_identity_{test_seed_of("Ben's home")};
  const net::Tls serving_tls_{serving_identity_};
  const net::Tls asking_tls_{asking_identity_};
  net::Traffic serving_traffic_;
  net::Traffic asking_traffic_;
  const net::Station serving_station_{world_.clock(), world_.executor(), serving_tls_, serving_traffic_};
  const net::Station asking_station_{world_.clock(), world_.executor(), asking_tls_, asking_traffic_};
  Book book_{serving_.disk(), "/state/clouds"};
  const std::vector<VaultKey> keys_;
  std::unique_ptr<home::SharedHome> home_;
  std::unique_ptr<HomeService> vaults_;
  std::unique_ptr<CloudService> service_;
  std::unique_ptr<net::Server> answering_;
  std::unique_ptr<platform::Nursery> serving_tasks_;
  std::unique_ptr<platform::Nursery> calling_tasks_;
  std::unique_ptr<net::Peers> net_;
};

}  // namespace mhp::cloud::testing
