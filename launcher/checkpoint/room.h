#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace lockstep {

/// Bytes that a checkpoint of so many parameters needs: them and two moments, some JSON, and a reserve, since others
/// write to the disk as well.
int64_t room_for_checkpoint(int64_t parameters);
/// Throws std::system_error (ENOSPC) if `run_folder`'s file system has less.
void require_room_for_checkpoint(const std::filesystem::path& run_folder, int64_t parameters);

/// What a run is still going to write.
struct RoomPlan {
  int64_t parameters = 0;
  int64_t saves = 0;              // that are to come
  int64_t limit = 0;              // --save_total_limit; 0: all are kept
  bool keeps_best_step = false;   // that of the best evaluation is kept beyond the limit
  bool keeps_best_model = false;  // each checkpoint has the best model beside its parameters
  int64_t replaceable = 0;        // checkpoints of this run that are there already, and go as new ones come
};

/// "" if `available` bytes hold the most that there will be at a time: the checkpoints that are kept, the one that is
/// being written, and the model. Else the warning: how many they hold, and what to do. Throws ProgramError (kStorage)
/// if not even one checkpoint and the model fit. `folder`: its name in these messages.
std::string warning_about_room(const RoomPlan& plan, int64_t available, const std::string& folder);

}  // namespace lockstep
