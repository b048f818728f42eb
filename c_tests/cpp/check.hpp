/* What the C++ tests share. A check that fails ends the program. */
#ifndef SHARDSPEC_TESTS_CHECK_HPP
#define SHARDSPEC_TESTS_CHECK_HPP

#include "../check.h"
#include "shardspec.hpp"

#include <type_traits>

namespace ss = shardspec;

/* The error that a call throws, which must have the status wanted. */
template <class Call>
shardspec::error refused(shardspec_status wanted, const char *text, const Call &call) {
  try {
    call();
  } catch (const shardspec::error &error) {
    if (error.status != wanted)
      FAIL("%s was refused with %d, not %d: %s", text, static_cast<int>(error.status),
           static_cast<int>(wanted), error.what());
    if (*error.what() == '\0') FAIL("%s was refused without a message", text);
    return error;
  }
  FAIL("%s was not refused", text);
}
#define CHECK_REFUSED(wanted, ...) \
  refused(SHARDSPEC_##wanted, #__VA_ARGS__, [&] { static_cast<void>(__VA_ARGS__); })

/* The status of a result, which must have no value. */
template <class T> shardspec_status status_of(const shardspec::result<T> &result) {
  CHECK(!result && !result.has_value());
  return result.error().status;
}

inline bool holds(const std::string &text, const char *part) {
  return text.find(part) != std::string::npos;
}

#endif
