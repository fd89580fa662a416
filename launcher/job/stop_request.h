#pragma once

namespace lockstep {

/// From now on SIGUSR1 asks this process to stop after its present step, instead of ending it; also one that came
/// before, while it was blocked (main.cc). mpirun hands the signal on to its ranks.
void take_stop_requests();

/// Whether one has come. Ranks may see it at different times: they agree on it before they act.
bool stop_requested();

}  // namespace lockstep
