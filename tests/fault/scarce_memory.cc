// A library for LD_PRELOAD: in the rank LOCKSTEP_SCARCE_RANK the allocation number LOCKSTEP_SCARCE_AT, counted from
// MPI_Init_thread, finds no memory; those before and after it do. How many there were until MPI_Finalize goes into the
// file LOCKSTEP_SCARCE_COUNT, if that is set.
#include <stddef.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "tests/support/preload.h"

// NOLINTBEGIN(readability-identifier-naming,bugprone-reserved-identifier): names of others
extern "C" {
// glibc's own, by names that nobody else takes.
void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
}

namespace {

using lockstep::tests::real;
using lockstep::tests::variable;

std::atomic<bool> is_counting = false;
std::atomic<long> count = 0;
long failing = 0;

bool is_next_to_fail() {
  return is_counting.load(std::memory_order_relaxed) && ++count == failing;
}

/// Says so, without memory.
void* none(size_t size) {
  std::array<char, 80> words{};
  const int length = std::snprintf(words.data(), words.size(), "scarce memory: none for %zu bytes\n", size);
  static_cast<void>(!write(STDERR_FILENO, words.data(), static_cast<size_t>(length)));
  errno = ENOMEM;
  return nullptr;
}

}  // namespace

extern "C" {

void* malloc(size_t size) {
  return is_next_to_fail() ? none(size) : __libc_malloc(size);
}

void* calloc(size_t items, size_t size) {
  return is_next_to_fail() ? none(items * size) : __libc_calloc(items, size);
}

void* realloc(void* old, size_t size) {
  return is_next_to_fail() ? none(size) : __libc_realloc(old, size);
}

void* memalign(size_t alignment, size_t size) {
  return is_next_to_fail() ? none(size) : __libc_memalign(alignment, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  return memalign(alignment, size);
}

int posix_memalign(void** place, size_t alignment, size_t size) {
  void* memory = memalign(alignment, size);
  if (memory == nullptr) return ENOMEM;
  *place = memory;
  return 0;
}

int MPI_Init_thread(int* argc, char*** argv, int required, int* provided) {
  auto* const init = real<decltype(MPI_Init_thread)>("MPI_Init_thread");
  if (!variable("OMPI_COMM_WORLD_RANK").empty() &&
      variable("OMPI_COMM_WORLD_RANK") == variable("LOCKSTEP_SCARCE_RANK")) {
    failing = std::atol(variable("LOCKSTEP_SCARCE_AT").c_str());
    is_counting = true;
  }
  return init(argc, argv, required, provided);
}

int MPI_Finalize() {
  const char* file = getenv("LOCKSTEP_SCARCE_COUNT");
  if (is_counting && file != nullptr) {
    is_counting = false;
    if (FILE* written = std::fopen(file, "w")) {
      std::fprintf(written, "%ld\n", count.load());
      std::fclose(written);
    }
  }
  return real<decltype(MPI_Finalize)>("MPI_Finalize")();
}
}
// NOLINTEND(readability-identifier-naming,bugprone-reserved-identifier)
