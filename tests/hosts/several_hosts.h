#pragma once

#include <gmock/gmock.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launcher/exit_codes.h"
#include "tests/end_to_end/program.h"
#include "tests/support/background.h"
#include "tests/support/records.h"
#include "tests/support/require.h"
#include "tests/support/tiny_world.h"

namespace lockstep::tests {

/// Trainings of a tiny model over the hosts h1, h2 and h3 of with_hosts.sh. Files are common to all; each host has its
/// own processes, all of which this program sees.
class SeveralHosts : public testing::Test {
 protected:
  using Clock = std::chrono::steady_clock;

  static void SetUpTestSuite() {
    if (environment("HOSTS_ARE_MISSING").empty()) world_ = std::make_unique<TinyWorld>();
  }
  static void TearDownTestSuite() { world_.reset(); }
  void SetUp() override {
    LOCKSTEP_NEEDS("hosts", environment("HOSTS_ARE_MISSING").empty(), environment("HOSTS_ARE_MISSING"));
    ASSERT_NE(world_, nullptr);
    run_ = world_->path(testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  /// Nothing of one test may disturb the next.
  void TearDown() override {
    if (world_ == nullptr) return;
    for (const char* name : {"h1", "h2", "h3"})
      host(std::string("plug ") + name);
    EXPECT_TRUE(nobody_is_left(20)) << "a test leaves processes behind:\n" << list_of(processes());
  }

  /// host.sh
  static Outcome host(const std::string& arguments) { return run("$HOST " + arguments); }
  static Outcome on(const std::string& name, const std::string& command) { return host("on " + name + " " + command); }

  static std::string train(const std::string& folder, int steps) {
    return " train --model_name_or_path " + world_->model_folder() + " --dataset " + world_->dataset_folder() +
           " --output_dir " + folder +
           " --global_batch_size 24 --max_seq_length 48 --learning_rate 1e-3 --disable_tqdm --threads 1" +
           " --save_strategy steps --save_steps 50 --save_total_limit 3 --logging_steps 1 --hang_timeout 5 "
           "--max_steps " +
           std::to_string(steps);
  }
  std::string train(int steps = kSteps) const { return train(run_, steps); }
  static std::string program() { return quoted(environment("LOCKSTEP_BINARY")); }
  static std::string launch(const std::string& hosts) { return program() + " launch --hosts " + hosts + " --"; }
  static std::string mpirun(const std::string& hosts) {
    return "mpirun --allow-run-as-root --bind-to none --host " + hosts + " " + program();
  }
  /// A job that goes on beside the test, started on `name`.
  std::unique_ptr<Background> start(const std::string& name, const std::string& command) const {
    return std::make_unique<Background>(std::vector<std::string>{"bash", "-c", "exec $HOST on " + name + " " + command},
                                        run_ + ".log");
  }

  static bool is_checkpoint(const std::string& run, int step) {
    return std::filesystem::exists(run + "/checkpoint-" + std::to_string(step) + "/manifest.json");
  }
  bool comes_to_checkpoint(int step) const {
    return becomes_true([&] { return is_checkpoint(run_, step); }, kPatience);
  }
  static std::vector<SeenProcess> processes() {
    std::vector<SeenProcess> found = processes_with(world_->path(""));
    for (const SeenProcess& daemon : processes_with("orted"))
      found.push_back(daemon);
    return found;
  }
  static bool nobody_is_left(double seconds) {
    return becomes_true([] { return processes().empty(); }, seconds);
  }
  static std::string list_of(const std::vector<SeenProcess>& processes) {
    std::string text;
    for (const SeenProcess& process : processes)
      text += std::to_string(process.pid) + " " + process.command.substr(0, 100) + "\n";
    return text;
  }
  static double since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

  struct Result {
    std::string model;
    std::vector<double> losses;
  };
  static Result result_of(const std::string& run) {
    Result result{read_file(run + "/model.safetensors"), {}};
    for (const nlohmann::json& record : records_of(read_file(run + "/metrics.jsonl")))
      if (record.contains("loss")) result.losses.push_back(record["loss"]);
    return result;
  }
  /// Of that many ranks on h1 alone, which nothing happens to.
  static const Result& of_one_host(int ranks) {
    static std::map<int, Result> results;
    if (!results.contains(ranks)) {
      const std::string folder = world_->path("one_host-" + std::to_string(ranks));
      const Outcome outcome =
          on("h1", program() + " launch -n " + std::to_string(ranks) + " --" + train(folder, kSteps));
      EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
      results[ranks] = result_of(folder);
    }
    return results[ranks];
  }
  void expect_the_result_of_one_host(int ranks) const {
    const Result result = result_of(run_);
    EXPECT_EQ(result.losses, of_one_host(ranks).losses);
    EXPECT_TRUE(result.model == of_one_host(ranks).model) << "weights differ";
  }
  void expect_that_it_goes_on(const std::string& hosts, int ranks) const {
    const Outcome outcome = on(hosts.substr(0, 2), launch(hosts) + train() + " --resume_from_checkpoint auto");
    EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
    EXPECT_THAT(outcome.output, testing::HasSubstr("going on from " + run_ + "/checkpoint-"));
    expect_the_result_of_one_host(ranks);
  }

  static constexpr int kSteps = 400;  // some seconds
  inline static std::unique_ptr<TinyWorld> world_;
  std::string run_;
};

}  // namespace lockstep::tests
