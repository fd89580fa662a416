#pragma once

/// On a function: compiled once per level of instruction sets, chosen when the program starts. One binary runs on every
/// x86-64. Functions that must give the same bits on all of them are compiled with -ffp-contract=off
/// (model/CMakeLists.txt). LOCKSTEP_FOR_ISA(level): one of several functions of a name, for that level.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LOCKSTEP_X86_LEVELS
#define LOCKSTEP_FOR_EACH_ISA __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define LOCKSTEP_FOR_ISA(level) __attribute__((target(level)))
#else
#define LOCKSTEP_FOR_EACH_ISA
#endif
