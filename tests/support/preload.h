#pragma once

#include <dlfcn.h>

#include <cstdlib>
#include <string>

namespace lockstep::tests {

// For libraries that are preloaded, and stand before the functions of others.

/// An environment variable; empty if it is not set.
inline std::string variable(const char* name) {
  const char* value = getenv(name);
  return value != nullptr ? value : "";
}

/// The function of that name that the library stands before.
template <typename Function>
Function* real(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

}  // namespace lockstep::tests
