#include "launcher/checkpoint/room.h"

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "launcher/errors.h"
#include "launcher/format.h"

namespace lockstep {

namespace {

double megabytes(int64_t bytes) {
  return static_cast<double>(bytes) / 1e6;
}

int64_t room_for_model(int64_t parameters) {
  return static_cast<int64_t>(sizeof(float)) * parameters;
}

/// Of one of the checkpoints, with the best model, which later evaluations replace in the run folder alone.
int64_t room_for_each(const RoomPlan& plan) {
  return room_for_checkpoint(plan.parameters) + (plan.keeps_best_model ? room_for_model(plan.parameters) : 0);
}

/// Beyond the limit: the one that is being written, and that of the best evaluation.
int64_t beyond_limit(const RoomPlan& plan) {
  return plan.keeps_best_step ? 2 : 1;
}

int64_t most_at_a_time(const RoomPlan& plan) {
  return plan.limit == 0 ? plan.saves : std::min(plan.saves, plan.limit + beyond_limit(plan));
}

std::string smaller_limit(const RoomPlan& plan, int64_t fitting) {
  const int64_t limit = fitting - beyond_limit(plan);
  return limit < 1 ? "" : formatted(", or add --save_total_limit %lld", static_cast<long long>(limit));
}

}  // namespace

int64_t room_for_checkpoint(int64_t parameters) {
  constexpr int64_t kState = 3 * sizeof(float);
  return kState * parameters + kState * parameters / 10 + (1 << 20);
}

void require_room_for_checkpoint(const std::filesystem::path& run_folder, int64_t parameters) {
  const int64_t needed = room_for_checkpoint(parameters);
  const auto available = static_cast<int64_t>(std::filesystem::space(run_folder).available);
  if (available < needed)
    throw std::system_error(ENOSPC, std::generic_category(),
                            formatted("a checkpoint needs %.0f MB in %s, where %.0f MB are free", megabytes(needed),
                                      run_folder.c_str(), megabytes(available)));
}

std::string warning_about_room(const RoomPlan& plan, int64_t available, const std::string& folder) {
  const int64_t one = room_for_checkpoint(plan.parameters), model = room_for_model(plan.parameters);
  if (available < one + model)
    throw ProgramError(
        kStorage, formatted("--output_dir %s: %.0f MB are free there, and a checkpoint (%.0f MB) and the model (%.0f "
                            "MB) do not fit. Make room, choose another folder, or add --save_strategy no",
                            folder.c_str(), megabytes(available), megabytes(one), megabytes(model)));
  const int64_t each = room_for_each(plan), most = most_at_a_time(plan);
  const int64_t fitting = (available - model) / each + plan.replaceable;
  if (fitting >= most) return "";
  return formatted(
      "--output_dir %s: %.0f MB are free there, room for %lld checkpoints of %.0f MB beside the model; this "
      "run will have up to %lld at a time. What does not fit will not be saved: make room%s",
      folder.c_str(), megabytes(available), static_cast<long long>(fitting), megabytes(each),
      static_cast<long long>(most), smaller_limit(plan, fitting).c_str());
}

}  // namespace lockstep
