#pragma once

namespace lockstep::model {

/// The code as it stands, and its text, which LibTorch compiles for the GPU when it is first needed.
#define LOCKSTEP_CODE_AND_TEXT(text, ...) \
  __VA_ARGS__                             \
  inline constexpr const char* text = #__VA_ARGS__;

/// For one counter of a mask (dropout.h): byte i is 1 if draw i is at least `threshold`, else 0. T: a 64-bit integer,
/// of which the low 32 bits count but for `example`.
LOCKSTEP_CODE_AND_TEXT(
    kEightDrawsText,
    template <typename T> T eight_draws(T block, T example, T layer_and_site, T key_low, T key_high, T threshold) {
      typedef unsigned int Word;
      typedef unsigned long long Product;
      Word c[4] = {(Word)block, (Word)layer_and_site, (Word)example, (Word)((Product)example >> 32)};
      Word low = (Word)key_low;
      Word high = (Word)key_high;
      for (int round = 0; round < 10; ++round) {
        const Product a = (Product)0xD2511F53 * c[0];
        const Product b = (Product)0xCD9E8D57 * c[2];
        c[0] = (Word)(b >> 32) ^ c[1] ^ low;
        c[2] = (Word)(a >> 32) ^ c[3] ^ high;
        c[1] = (Word)b;
        c[3] = (Word)a;
        low += 0x9E3779B9;
        high += 0xBB67AE85;
      }
      Product kept = 0;
      for (int i = 0; i < 4; ++i) {
        kept |= (Product)((c[i] & 0xFFFF) >= (Word)threshold) << (16 * i);
        kept |= (Product)((c[i] >> 16) >= (Word)threshold) << (16 * i + 8);
      }
      return (T)kept;
    })

#undef LOCKSTEP_CODE_AND_TEXT

}  // namespace lockstep::model
