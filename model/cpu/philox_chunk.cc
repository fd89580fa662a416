#include "model/cpu/philox_chunk.h"

#include "model/vectorize.h"
#ifdef LOCKSTEP_X86_LEVELS
#include <immintrin.h>
#endif

namespace lockstep::model {
namespace {

/// One word of each counter.
using Words = uint32_t[kPhiloxLanes];

/// What a compiler can make vectors of.
[[gnu::always_inline]] inline void portable_chunk(uint16_t* __restrict draws, const PhiloxWords& first, PhiloxKey key) {
  Words c0, c1, c2, c3;
  for (int i = 0; i < kPhiloxLanes; ++i) {
    c0[i] = first[0] + static_cast<uint32_t>(i);
    c1[i] = first[1];
    c2[i] = first[2];
    c3[i] = first[3];
  }
#pragma GCC unroll 10
  for (int round = 0; round < kPhiloxRounds; ++round) {
    for (int i = 0; i < kPhiloxLanes; ++i) {
      const uint64_t a = uint64_t{kPhiloxMultiplier0} * c0[i];
      const uint64_t b = uint64_t{kPhiloxMultiplier1} * c2[i];
      c0[i] = static_cast<uint32_t>(b >> 32) ^ c1[i] ^ key.low;
      c1[i] = static_cast<uint32_t>(b);
      c2[i] = static_cast<uint32_t>(a >> 32) ^ c3[i] ^ key.high;
      c3[i] = static_cast<uint32_t>(a);
    }
    key.low += kPhiloxWeyl0;
    key.high += kPhiloxWeyl1;
  }
  const Words* words[] = {&c0, &c1, &c2, &c3};
  for (int i = 0; i < kPhiloxLanes; ++i)
    for (int word = 0; word < 4; ++word) {
      draws[8 * i + 2 * word] = static_cast<uint16_t>((*words[word])[i]);
      draws[8 * i + 2 * word + 1] = static_cast<uint16_t>((*words[word])[i] >> 16);
    }
}

#ifdef LOCKSTEP_X86_LEVELS
/// Three times as fast as what GCC 12 makes of the above: each word in the low half of a 64-bit lane, where one
/// instruction multiplies 32 x 32 bits. High halves are never cleared: nothing reads them before the end.
LOCKSTEP_FOR_ISA("arch=x86-64-v4") void chunk(uint16_t* draws, const PhiloxWords& first, PhiloxKey key) {
  constexpr int kVectors = kPhiloxLanes / 8;
  const __m512i m0 = _mm512_set1_epi64(kPhiloxMultiplier0), m1 = _mm512_set1_epi64(kPhiloxMultiplier1);
  __m512i c0[kVectors], c1[kVectors], c2[kVectors], c3[kVectors];
  for (int n = 0; n < kVectors; ++n) {
    c0[n] = _mm512_add_epi64(_mm512_set1_epi64(first[0] + 8 * n), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
    c1[n] = _mm512_set1_epi64(first[1]);
    c2[n] = _mm512_set1_epi64(first[2]);
    c3[n] = _mm512_set1_epi64(first[3]);
  }
#pragma GCC unroll 10
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const __m512i low = _mm512_set1_epi64(key.low), high = _mm512_set1_epi64(key.high);
    for (int n = 0; n < kVectors; ++n) {
      const __m512i a = _mm512_mul_epu32(c0[n], m0), b = _mm512_mul_epu32(c2[n], m1);
      c0[n] = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(b, 32), c1[n]), low);
      c2[n] = _mm512_xor_si512(_mm512_xor_si512(_mm512_srli_epi64(a, 32), c3[n]), high);
      c1[n] = b;
      c3[n] = a;
    }
    key.low += kPhiloxWeyl0;
    key.high += kPhiloxWeyl1;
  }
  constexpr __mmask16 kHighHalves = 0xAAAA;
  const __m512i lower = _mm512_set_epi64(11, 3, 10, 2, 9, 1, 8, 0),
                upper = _mm512_set_epi64(15, 7, 14, 6, 13, 5, 12, 4);
  for (int n = 0; n < kVectors; ++n) {
    const __m512i front = _mm512_mask_mov_epi32(c0[n], kHighHalves, _mm512_slli_epi64(c1[n], 32));
    const __m512i back = _mm512_mask_mov_epi32(c2[n], kHighHalves, _mm512_slli_epi64(c3[n], 32));
    _mm512_storeu_si512(draws + 64 * n, _mm512_permutex2var_epi64(front, lower, back));
    _mm512_storeu_si512(draws + 64 * n + 32, _mm512_permutex2var_epi64(front, upper, back));
  }
}
LOCKSTEP_FOR_ISA("arch=x86-64-v3") void chunk(uint16_t* draws, const PhiloxWords& first, PhiloxKey key) {
  portable_chunk(draws, first, key);
}
LOCKSTEP_FOR_ISA("default")
#endif
void chunk(uint16_t* draws, const PhiloxWords& first, PhiloxKey key) {
  portable_chunk(draws, first, key);
}

}  // namespace

void philox_chunk(uint16_t* draws, const PhiloxWords& first, PhiloxKey key) {
  chunk(draws, first, key);
}

}  // namespace lockstep::model
