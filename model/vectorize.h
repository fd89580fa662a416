#pragma once

/// On a function: compiled once per instruction set, chosen when the program starts. One binary runs on every x86-64.
/// Functions that must give the same bits on all of them are compiled with -ffp-contract=off (model/CMakeLists.txt).
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LOCKSTEP_FOR_EACH_ISA __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LOCKSTEP_FOR_EACH_ISA
#endif
