#include "launcher/checkpoint/room.h"

#include <gmock/gmock.h>

#include "launcher/errors.h"

namespace lockstep {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr int64_t kMillion = 1'000'000;

/// Of a model of 10 million parameters: 40 MB, and 133 MB a checkpoint.
RoomPlan plan_of(int64_t saves, int64_t limit) {
  return {.parameters = 10 * kMillion, .saves = saves, .limit = limit};
}

std::string warning(const RoomPlan& plan, int64_t megabytes) {
  return warning_about_room(plan, megabytes * kMillion, "runs/mine");
}

TEST(Room, IsRefusedWithoutThatForOneCheckpointAndTheModel) {
  try {
    warning(plan_of(1, 0), 172);
    FAIL();
  } catch (const ProgramError& error) {
    EXPECT_EQ(error.exit_code(), kStorage);
    EXPECT_THAT(error.what(), HasSubstr("runs/mine: 172 MB are free there, and a checkpoint (133 MB) and the model (40 "
                                        "MB) do not fit"));
  }
  EXPECT_EQ(warning(plan_of(1, 0), 174), "");
}

TEST(Room, IsWantedForEverySaveOfARunThatKeepsAll) {
  EXPECT_EQ(warning(plan_of(5, 0), 706), "");
  EXPECT_THAT(warning(plan_of(5, 0), 700), HasSubstr("room for 4 checkpoints of 133 MB beside the model; this run will "
                                                     "have up to 5 at a time"));
  EXPECT_THAT(warning(plan_of(5, 0), 700), HasSubstr("or add --save_total_limit 3"));
}

TEST(Room, IsWantedForTheLimitAndTheOneBeingWritten) {
  EXPECT_EQ(warning(plan_of(5, 2), 440), "");
  EXPECT_THAT(warning(plan_of(5, 2), 430), HasSubstr("have up to 3 at a time"));
  EXPECT_THAT(warning(plan_of(5, 2), 430), HasSubstr("make room, or add --save_total_limit 1"));
}

TEST(Room, IsNotWantedForMoreSavesThanThereAre) {
  EXPECT_EQ(warning(plan_of(2, 5), 307), "");
}

TEST(Room, OfOneCheckpointIsNotMadeByALimit) {
  EXPECT_THAT(warning(plan_of(5, 1), 200), HasSubstr("make room"));
  EXPECT_THAT(warning(plan_of(5, 1), 200), Not(HasSubstr("--save_total_limit")));
}

TEST(Room, IsWantedForThatOfTheBestEvaluationAsWell) {
  RoomPlan plan = plan_of(5, 2);
  plan.keeps_best_step = true;
  EXPECT_THAT(warning(plan, 440), HasSubstr("have up to 4 at a time"));
  EXPECT_EQ(warning(plan, 574), "");
  plan.keeps_best_model = true;  // 40 MB more in each
  EXPECT_THAT(warning(plan, 574), HasSubstr("room for 3 checkpoints of 173 MB"));
}

TEST(Room, OfCheckpointsThatWillBeReplacedCounts) {
  RoomPlan plan = plan_of(5, 2);
  plan.replaceable = 2;
  EXPECT_EQ(warning(plan, 174), "");
}

}  // namespace
}  // namespace lockstep
