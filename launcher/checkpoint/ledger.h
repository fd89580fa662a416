#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace lockstep {

/// Which examples were trained, in whatever order and by whichever rank: how many, and the sum modulo 2^128 of a hash
/// of each. Two ledgers are equal if they hold the same examples equally often; that others are equal as well has a
/// chance of 2^-128.
class Ledger {
 public:
  void add(std::span<const int64_t> examples);

  /// Numbers that add up over ranks, and the ledger of their sums.
  std::vector<int64_t> summands() const;
  static Ledger of_sums(std::span<const int64_t> sums);

  int64_t count() const { return count_; }
  std::string sum() const;  // 32 hexadecimal digits
  /// From what count() and sum() gave. Throws std::invalid_argument.
  static Ledger of_text(int64_t count, const std::string& sum);

  bool operator==(const Ledger&) const = default;

 private:
  int64_t count_ = 0;
  std::array<uint32_t, 4> limbs_{};  // of the sum, the lowest first
};

}  // namespace lockstep
