#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "launcher/checkpoint/store.h"
#include "launcher/exit_codes.h"
#include "tests/end_to_end/launched_world.h"
#include "tests/fault/fault_row.h"

namespace lockstep::tests {

/// What a run had to which nothing happened. Of steps whose checkpoint it left out, since the one before was still
/// being written, what was seen first counts.
struct Unbroken {
  std::map<int64_t, std::vector<std::string>> shards;  // by step: the hashes of parameters, m and v
  std::map<int64_t, std::string> best_models;          // by the step of its evaluation: the hash of the best model
  std::string model;                                   // the bytes of model.safetensors
  std::string metrics;                                 // the steps in metrics.jsonl
  double seconds = 0;                                  // that it took
};

/// A run of two ranks that is hurt and goes on, again and again, and whoever watches it from outside: a checkpoint that
/// was once seen in its folder must be there, or a newer one, whatever happens.
class Victim : public LaunchedWorld {
 protected:
  static constexpr double kAllowedSeconds = 5;  // from the first process that is gone to the last

  /// Of a run of so many steps, with an evaluation after each `eval_steps` of them.
  explicit Victim(int64_t steps, int64_t eval_steps = 8) {
    steps_ = steps;
    eval_steps_ = eval_steps;
  }
  static void SetUpTestSuite();
  /// Sets mpirun's patience with the others once a rank was killed, else 1 s and most of a trial, to 0, and has ranks
  /// that wait leave the cores to other rows. What the environment says otherwise holds.
  static void hurry();
  void SetUp() override { begin_anew(); }
  /// An empty run folder, of which nothing was seen yet.
  void begin_anew();

  static Unbroken& unbroken();
  static std::vector<std::string> training(const std::string& folder);
  /// The command that starts a run, or goes on with it; `variables` as "NAME=VALUE".
  static std::vector<std::string> command(const std::string& folder, const std::vector<std::string>& variables,
                                          const std::vector<std::string>& more);
  std::unique_ptr<Background> go_on(const std::vector<std::string>& variables = {},
                                    const std::string& output = "output.txt");
  /// Another training in the same folder, whose first checkpoint is of the step of the newest one there.
  static std::unique_ptr<Background> train_anew(const std::vector<std::string>& variables);
  /// The process of that rank, once MPI has made it one.
  static std::optional<pid_t> process_of(int rank);

  static int64_t steps() { return steps_; }
  static std::vector<StoredCheckpoint> stored();
  /// Of the newest checkpoint; 0 if there is none.
  static int64_t newest_step();
  /// Remembers the newest checkpoint that is there.
  void look();
  /// Looks on until nobody of the job is left. The seconds since its first process was gone, or since now if `is_hurt`:
  /// it is gone already.
  double watch_its_end(Background& job, bool is_hurt);

  /// Nothing that was seen is lost, all is valid, and parameters, m and v are those of the unbroken run.
  void expect_nothing_lost();
  /// Whether the job, one of whose processes was killed, ended by that: soon, with the right code and `words`, and
  /// nothing is lost. False if all of its work was done already.
  bool ends_by_a_kill(Background& job, bool is_hurt, const std::string& words, FaultRow& row);
  /// Whether the job, which was asked to stop if `is_hurt`, did so: nobody was left soon after what else it had to do,
  /// a start and a save at most, and there is a checkpoint of the step that it names. False if all of its work was
  /// done.
  bool ends_by_a_request(Background& job, bool is_hurt, FaultRow& row);
  /// The run goes on from its newest checkpoint, if there is one, and comes to the unbroken run's end.
  void expect_that_it_ends_as_if_unbroken();
  /// The same of the newest job that go_on() started.
  void expect_to_end_as_unbroken(Background& job);
  void expect_as_unbroken();
  /// What is hidden in the run folder: unfinished, or not wholly removed.
  static std::vector<std::filesystem::path> leftovers();

 private:
  inline static int64_t steps_ = 0, eval_steps_ = 0;
  int64_t seen_ = 0;        // the newest step of which a checkpoint was in the folder
  int64_t began_from_ = 0;  // where the newest job has to go on
  std::string left_;        // who was still there after kAllowedSeconds, and why
};

}  // namespace lockstep::tests
