// What a home and a relay say to each other before, and while, bytes go through.
#pragma once

#include <array>
#include <compare>

#include "base/ids.h"
#include "wire/calls.h"

namespace mhp::wire {

constexpr std::uint64_t kMaxRelayFrameBytes = 1_KiB;  // encoded, without the length before it
constexpr std::uint64_t kMaxRelayDetailBytes = 512;   // of a refusal
constexpr std::uint64_t kMaxRelayClaimBytes = 512;    // of a call
constexpr std::size_t kRelayLengthBytes = 2;          // before each frame, little endian
using RelayNumber = std::array<std::byte, 16>;        // of one call; random

/// Who says it to whom, and which fields it has: docs/protocol/relay.md. Fields that a kind lacks are empty.
struct RelayFrame {
  enum class Kind : std::uint8_t {
    hello = 1,    // relay, first of all: the certificate was taken
    wait = 2,     // home: calls for me shall come here
    waiting = 3,  // relay: so be it
    call = 4,     // caller: I want `home`
    come = 5,     // relay, to a home that waits: `home` calls, come with `number`
    here = 6,     // home, on a new connection: I come for `number`
    ready = 7,    // relay, to both: what follows is the other end's
    refused = 8,  // either: no, for `error`; with `number` where it is about a `come`
    ping = 9,     // home that waits
    pong = 10,    // relay
  };
  Kind kind = Kind::hello;
  HomeId home{};         // of call, come
  RelayNumber number{};  // of come, here; of refused zeros or a number
  CallError error{};     // of refused; its detail at most kMaxRelayDetailBytes
  Bytes claim{};         // of call, where its computer is named by no roster yet: at most kMaxRelayClaimBytes
  friend bool operator==(const RelayFrame&, const RelayFrame&) = default;
};

Bytes encode(const RelayFrame& frame);
/// Errors: invalid.
Result<RelayFrame> parse_relay_frame(ByteView bytes);

/// As it travels: its length, then the frame.
Bytes encode_with_length(const RelayFrame& frame);
/// How many bytes follow. Errors: invalid (none, or more than kMaxRelayFrameBytes).
Result<std::size_t> parse_relay_length(const std::array<std::byte, kRelayLengthBytes>& bytes);

}  // namespace mhp::wire
