// Result<T>: every call that can fail says so in its type; the only place that names tl::expected.
#pragma once

#include <source_location>
#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace mhp {

/// What the CALLER can do about a failure, not where it happened. Stable on the wire.
enum class Errc : unsigned char {
  not_found = 1,    // ask another home
  unavailable = 2,  // try later; carries no blame
  timed_out = 3,    // try later or elsewhere
  corrupt = 4,      // bytes differ from their id: repair, never retry this copy
  denied = 5,       // stop: the user must act (rights, wrong key, bad signature)
  full = 6,         // choose another home, or make space
  invalid = 7,      // the bytes given are wrong: retrying cannot help
  canceled = 8,     // the caller gave up: say nothing
  busy = 9,         // another process holds it: wait for that one
  usage = 10,       // what was asked for cannot be: the person must ask differently; nothing is damaged
  exhausted = 11,   // this computer has too few open files or too little memory: stop; blames no file and no home
};

/// What an error is about, said where it is known: with the code it decides what a person is advised.
enum class Subject : unsigned char {
  none = 0,  // not said
  vault,     // this computer's: there is none, or one already
  homes,     // the vault's homes together: too few of them answered, or took what they were given
  home,      // one home, or a folder that is to be one
  state,     // the state folder of this computer
  source,    // what is to be saved
  target,    // where files are brought back to
  snapshot,  // a snapshot as a person named it
  entry,     // a path in a snapshot
  phrase,    // the recovery words, or a file with them
  clock,     // of this computer
  network,   // of this computer: an address or port
  cloud,     // a cloud, its members or an invitation
};

/// One word for a code, as printed in `--json` errors: "not_found", "full", ...
const char* to_string(Errc code);
/// The same for a subject; empty for none.
const char* to_string(Subject subject);

struct [[nodiscard]] Error {
  Errc code;
  std::string detail;  // one line for a person: what happened to what; never contents or keys
  Subject subject = Subject::none;
  std::source_location where = std::source_location::current();
};

template <class T = void>
using Result = tl::expected<T, Error>;

/// `return fail(Errc::full, "...")` from any function that returns a Result.
inline tl::unexpected<Error> fail(Errc code, std::string detail,
                                  std::source_location where = std::source_location::current()) {
  return tl::unexpected<Error>(Error{code, std::move(detail), Subject::none, where});
}
/// The same where it is known what the failure is about.
inline tl::unexpected<Error> fail(Errc code, Subject subject, std::string detail,
                                  std::source_location where = std::source_location::current()) {
  return tl::unexpected<Error>(Error{code, std::move(detail), subject, where});
}

/// Hands an error on unchanged: `if (!x) return pass(x);`
template <class T>
tl::unexpected<Error> pass(Result<T>& result) {
  return tl::unexpected<Error>(std::move(result.error()));
}

/// Says what a failure is about, unless that is said already: `return about(Subject::state, disk.open(...));`
template <class T>
Result<T> about(Subject subject, Result<T> result) {
  if (!result && result.error().subject == Subject::none) result.error().subject = subject;
  return result;
}

}  // namespace mhp

#define MHP_CONCAT_INNER(a, b) a##b
#define MHP_CONCAT(a, b) MHP_CONCAT_INNER(a, b)
/// MHP_TRY(auto x, f()): x is the value, or the enclosing function returns the Error unchanged.
#define MHP_TRY(declaration, expression) MHP_TRY_INNER(declaration, expression, MHP_CONCAT(mhp_try_, __LINE__), return)
/// MHP_CO_TRY(auto x, co_await g()): the same inside a coroutine.
#define MHP_CO_TRY(declaration, expression) \
  MHP_TRY_INNER(declaration, expression, MHP_CONCAT(mhp_try_, __LINE__), co_return)
#define MHP_TRY_INNER(declaration, expression, name, leave) \
  auto name = (expression);                                 \
  if (!name) leave ::mhp::pass(name);                       \
  declaration = std::move(*name)
/// The same for Result<void>.
#define MHP_TRY_VOID(expression) MHP_TRY_VOID_INNER(expression, MHP_CONCAT(mhp_try_, __LINE__), return)
#define MHP_CO_TRY_VOID(expression) MHP_TRY_VOID_INNER(expression, MHP_CONCAT(mhp_try_, __LINE__), co_return)
#define MHP_TRY_VOID_INNER(expression, name, leave) \
  auto name = (expression);                         \
  if (!name) leave ::mhp::pass(name)
