// Requests, their bounds and their answers.
#include "net/impl/answer_session.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "net/impl/messages.h"

namespace mhp::net::impl {
namespace {

std::optional<Method> method_of(std::string_view text) {
  if (text == "GET") return Method::get;
  if (text == "PUT") return Method::put;
  if (text == "POST") return Method::post;
  return std::nullopt;
}

}  // namespace

AnswerSession::AnswerSession(const Station& station, Service& service, std::unique_ptr<platform::Stream> stream,
                             Peer peer, std::optional<StrangerBounds> bounds, std::size_t& in_flight)
    : Http2(Side::answerer, station, std::move(stream), std::move(peer)),
      service_(service),
      bounds_(bounds),
      in_flight_(in_flight),
      quiet_since_(now()) {}

AnswerSession::~AnswerSession() = default;

AnswerSession::Exchange* AnswerSession::find(StreamId stream) {
  const auto found = exchanges_.find(stream);
  return found == exchanges_.end() ? nullptr : &found->second;
}

bool AnswerSession::on_begin(StreamId stream) {
  Exchange& exchange = exchanges_.try_emplace(stream, station().traffic).first->second;
  exchange.mark.at = now();
  return true;
}

bool AnswerSession::on_header(StreamId stream, Header header) {
  Exchange* exchange = find(stream);
  if (exchange == nullptr) return false;
  exchange->header_bytes += header.name.size() + header.value.size() + 32;  // 32: as HTTP/2 counts them
  if (exchange->header_bytes > kMaxHeaderBytes) return false;
  if (exchange->stage != Stage::headers) return true;  // trailers say nothing
  if (header.name == ":method") exchange->method = header.value;
  if (header.name == ":path") exchange->request.path = header.value;
  if (header.name == kProtocolHeader) exchange->protocol = header.value;
  if (header.name == "content-length")
    std::from_chars(header.value.data(), header.value.data() + header.value.size(), exchange->announced_bytes);
  return true;
}

std::optional<Error> AnswerSession::refusal_of(const Exchange& exchange) {
  if (exchange.protocol != std::to_string(kProtocol)) return foreign_protocol(exchange.protocol);
  if (!method_of(exchange.method)) return Error{Errc::invalid, "only GET, PUT and POST are known here"};
  if (exchange.announced_bytes > limits().max_body_bytes)
    return Error{Errc::invalid, "the body is longer than " + std::to_string(limits().max_body_bytes) + " bytes"};
  if (bounds_ && exchange.announced_bytes > bounds_->bytes)
    return Error{Errc::denied, "so much is taken from nobody who is not known here"};
  return std::nullopt;
}

void AnswerSession::on_headers_end(StreamId stream) {
  Exchange* exchange = find(stream);
  if (exchange == nullptr || exchange->stage != Stage::headers) return;
  exchange->stage = Stage::body;
  auto why = refusal_of(*exchange);
  if (why) return refuse(stream, *exchange, std::move(*why));
  exchange->request.method = *method_of(exchange->method);
}

void AnswerSession::on_body(StreamId stream, ByteView bytes) {
  Exchange* exchange = find(stream);
  if (exchange == nullptr || exchange->stage != Stage::body) return;
  Bytes& body = exchange->request.body;
  if (bytes.size() > limits().max_body_bytes - body.size()) {
    const std::string most = std::to_string(limits().max_body_bytes);
    return refuse(stream, *exchange, {Errc::invalid, "the body is longer than " + most + " bytes"});
  }
  if (!exchange->held.add(bytes.size()))
    return refuse(stream, *exchange, {Errc::unavailable, "too much is under way here: try later"});
  append_body(body, bytes, exchange->announced_bytes);
}

void AnswerSession::on_complete(StreamId stream) {
  Exchange* exchange = find(stream);
  if (exchange == nullptr) return;
  exchange->arrived = true;
  if (exchange->stage != Stage::body || has_ended()) return;
  exchange->stage = Stage::waiting;
  start_waiting();
}

void AnswerSession::start_waiting() {
  if (has_ended()) return;
  for (auto& [stream, exchange] : exchanges_) {
    if (in_flight_ >= limits().requests_in_flight) return;
    if (exchange.stage != Stage::waiting) continue;
    exchange.stage = Stage::answering;
    tasks().start(answer(stream, InFlight(in_flight_)));
  }
}

void AnswerSession::refuse(StreamId stream, Exchange& exchange, Error why) {
  exchange.request.body = {};
  exchange.held.give_back();
  send(stream, exchange, error_reply(why));
}

void AnswerSession::send(StreamId stream, Exchange& exchange, Reply reply) {
  if (reply.body.size() > limits().max_body_bytes)
    reply = error_reply({Errc::invalid, "the answer is longer than a reply may be"});
  if (!exchange.held.add(reply.body.size()))
    reply = error_reply({Errc::unavailable, "too much is under way here: try later"});
  exchange.stage = Stage::reply;
  exchange.reply = std::move(reply);
  exchange.mark = {.bytes = 0, .at = now()};
  const std::string status = std::to_string(exchange.reply.status);
  const std::string protocol = std::to_string(kProtocol);
  const std::string size = std::to_string(exchange.reply.body.size());
  const std::array headers{Header{":status", status}, Header{kProtocolHeader, protocol},
                           Header{"content-length", size}};
  submit_reply(stream, headers, exchange.reply.body);
}

void AnswerSession::on_sent(StreamId stream) {
  // The rest of a request that has its answer is not wanted. (HTTP/2, RFC 9113, 8.1.)
  const Exchange* exchange = find(stream);
  if (exchange != nullptr && !exchange->arrived) reset(stream, kNoError);
}

void AnswerSession::on_closed(StreamId stream, std::uint32_t) {
  const auto found = exchanges_.find(stream);
  if (found == exchanges_.end()) return;
  if (found->second.running != nullptr) found->second.running->cancel();
  exchanges_.erase(found);
  quiet_since_ = now();
}

Task<> AnswerSession::answer_into(Request request, std::optional<Reply>& into) {
  into.emplace(co_await served_->answer(std::move(request)));
}

Task<> AnswerSession::answer(StreamId stream, InFlight count) {
  auto one = answer_one(stream);
  co_await std::move(one);
  count.end();
  start_waiting();
}

Task<> AnswerSession::answer_one(StreamId stream) {
  Exchange* exchange = find(stream);
  if (exchange == nullptr) co_return;  // given up before it began
  if (!served_) served_ = service_.serve(peer());
  ++station().traffic.counts.requests;
  platform::Nursery own(station().executor);
  exchange->running = &own;
  struct Leave {  // also where a cancellation leaves this frame
    AnswerSession& session;
    StreamId stream;
    ~Leave() {
      Exchange* left = session.find(stream);
      if (left != nullptr) left->running = nullptr;
    }
  } leave{*this, stream};
  std::optional<Reply> reply;
  {
    const Held held(std::move(exchange->held));  // the request's body is somewhere in memory until it is answered
    own.start(answer_into(std::move(exchange->request), reply));
    co_await own.join();
  }
  exchange = find(stream);
  if (exchange == nullptr || has_ended() || !reply) co_return;
  send(stream, *exchange, std::move(*reply));
  ask_standing();
}

void AnswerSession::ask_standing() {
  if (!bounds_) return;
  const auto standing = service_.standing(peer());
  if (standing == Service::Standing::known && !bounds_->is_widened) {
    bounds_->bytes += limits().known_bytes;
    bounds_->until += limits().known_time;
    bounds_->is_widened = true;
  }
  if (standing == Service::Standing::member) bounds_.reset();
  if (standing == Service::Standing::refused) finish(Error{Errc::denied, "this computer is not wanted here"});
}

bool AnswerSession::on_bytes(std::size_t bytes) {
  if (!bounds_) return true;
  if (bytes > bounds_->bytes) {
    ++station().traffic.counts.cut_off;
    cut_off(Errc::denied);
    return false;
  }
  bounds_->bytes -= bytes;
  return true;
}

std::size_t AnswerSession::moved_bytes(StreamId stream, const Exchange& exchange) const {
  if (exchange.stage == Stage::reply) return exchange.reply.body.size() - unsent_bytes(stream);
  return exchange.header_bytes + exchange.request.body.size();
}

void AnswerSession::cut_the_slow() {
  std::vector<StreamId> slow;
  for (auto& [stream, exchange] : exchanges_) {
    if (exchange.stage == Stage::waiting || exchange.stage == Stage::answering)
      continue;  // that is this computer's own pace
    const std::size_t moved = moved_bytes(stream, exchange);
    if (moved - exchange.mark.bytes >= limits().stall_bytes) exchange.mark = {.bytes = moved, .at = now()};
    if (now() > exchange.mark.at && now() - exchange.mark.at > limits().stall_time) slow.push_back(stream);
  }
  for (const StreamId stream : slow) {
    ++station().traffic.counts.cut_off;
    exchanges_.at(stream).mark.at = std::chrono::nanoseconds::max();  // once is enough, also where it takes a while
    reset(stream, kCalmDownCode);
  }
}

std::chrono::nanoseconds AnswerSession::watch() {
  if (bounds_ && now() >= bounds_->until) {
    ++station().traffic.counts.cut_off;
    end({Errc::timed_out, "a stranger took longer than it may"});
    return {};
  }
  cut_the_slow();
  start_waiting();  // for those whose turn came by an answer on another connection of this peer
  std::chrono::nanoseconds wait = limits().stall_time / 4;
  if (exchanges_.empty()) {
    const auto left = quiet_since_ + limits().idle_time - now();
    if (left.count() <= 0) finish(std::nullopt);
    wait = left.count() <= 0 ? wait : std::min(wait, left);
  }
  return bounds_ ? std::min(wait, bounds_->until - now()) : wait;
}

void AnswerSession::on_end(const Error&) {
  // The answers end with the tasks of the connection.
  exchanges_.clear();
}

}  // namespace mhp::net::impl
