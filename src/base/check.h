// MHP_CHECK: a bug in this program stops it, in every build. Never for input from outside.
#pragma once

namespace mhp {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}

#define MHP_CHECK(condition) ((condition) ? static_cast<void>(0) : ::mhp::check_failed(#condition, __FILE__, __LINE__))
