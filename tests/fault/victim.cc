#include "tests/fault/victim.h"

#include <algorithm>
#include <chrono>
#include <set>

#include <gmock/gmock.h>

#include "nlohmann/json.hpp"
#include "tests/support/records.h"

namespace lockstep::tests {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

std::vector<std::string> hashes_of(const CheckpointManifest& manifest) {
  std::vector<std::string> hashes;
  for (const ShardEntry& shard : manifest.shards)
    hashes.push_back(shard.file.sha256);
  return hashes;
}

/// What is seen first counts.
void expect_as_in(Unbroken& unbroken, const CheckpointManifest& manifest) {
  const std::vector<std::string> hashes = hashes_of(manifest);
  EXPECT_EQ(hashes, unbroken.shards.try_emplace(manifest.step, hashes).first->second) << "step " << manifest.step;
  const int64_t best_step = manifest.training["best"]["step"];  // -1 before the first evaluation
  const auto best = std::ranges::find(manifest.files, kBestModelName, &FileReceipt::name);
  EXPECT_EQ(best != manifest.files.end(), best_step >= 0) << "step " << manifest.step;
  if (best == manifest.files.end()) return;
  EXPECT_EQ(best->bytes, std::ssize(unbroken.model)) << "best step " << best_step;
  EXPECT_EQ(best->sha256, unbroken.best_models.try_emplace(best_step, best->sha256).first->second)
      << "best step " << best_step;
}

std::string steps_in_metrics(const std::string& folder) {
  std::string steps;
  for (const nlohmann::json& record : records_of(read_file(folder + "/metrics.jsonl")))
    steps += record["step"].dump() + " ";
  return steps;
}

/// The N of "going on from FOLDER/checkpoint-N: step N", or 0 of a job that began anew; nothing if it did not come so
/// far.
std::optional<int64_t> start_of(const std::string& output) {
  const size_t words = output.find("going on from "), step = output.find(": step ", words);
  if (words != std::string::npos) return std::stoll(output.substr(step + 7));
  return output.find("***** Running training *****") != std::string::npos ? std::optional(0) : std::nullopt;
}

/// In the middle of an exec a process has no arguments, and yet is there.
bool has_ended(pid_t pid) {
  const std::string state = SeenProcess(pid, "").status("State");
  return state.empty() || state.starts_with("Z");
}

/// "" of a process that ended meanwhile, which reading tells by an exception.
std::string read_if_there(const fs::path& file) {
  try {
    return read_file(file);
  } catch (const std::ios_base::failure&) {
    return "";
  }
}

/// Of each thread: its name, state, and where it is in the kernel; and how much the machine has to do.
std::string what_they_do(const std::vector<SeenProcess>& processes) {
  std::string text = "load " + read_file("/proc/loadavg") + read_if_there("/proc/pressure/io");
  for (const SeenProcess& process : processes) {
    text += std::to_string(process.pid) + " " + process.command.substr(0, 80) + "\n";
    std::error_code gone;
    for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(process.pid) + "/task", gone)) {
      const std::string stat = read_if_there(thread.path() / "stat");
      text += "  " + stat.substr(0, stat.find(')') + 3) + " " + read_if_there(thread.path() / "wchan") + "\n";
    }
  }
  return text;
}

}  // namespace

void Victim::SetUpTestSuite() {
  LaunchedWorld::SetUpTestSuite();
  hurry();
}

void Victim::hurry() {
  setenv("OMPI_MCA_odls_base_sigkill_timeout", "0", 0);
  setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
}

std::vector<std::string> Victim::command(const std::string& folder, const std::vector<std::string>& variables,
                                         const std::vector<std::string>& more) {
  std::vector<std::string> words{"env"};
  words.insert(words.end(), variables.begin(), variables.end());
  words.insert(words.end(), {environment("LOCKSTEP_BINARY"), "launch", "-n", "2", "--threads", "1", "--"});
  const std::vector<std::string> arguments = training(folder);
  words.insert(words.end(), arguments.begin(), arguments.end());
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

/// It learns so slowly that nearly every evaluation is the best so far: the next checkpoint copies its model, and those
/// until the next evaluation are given a link to that copy.
std::vector<std::string> Victim::training(const std::string& folder) {
  std::vector<std::string> words{"train"};
  for (const auto& [name, value] : std::map<std::string, std::string>{{"model_name_or_path", world_->model_folder()},
                                                                      {"dataset", world_->dataset_folder()},
                                                                      {"output_dir", folder},
                                                                      {"global_batch_size", "8"},
                                                                      {"max_steps", std::to_string(steps())},
                                                                      {"max_seq_length", "48"},
                                                                      {"learning_rate", "1e-4"},
                                                                      {"logging_steps", "1"},
                                                                      {"eval_strategy", "steps"},
                                                                      {"eval_steps", std::to_string(eval_steps_)},
                                                                      {"metric_for_best_model", "loss"},
                                                                      {"save_strategy", "steps"},
                                                                      {"save_steps", "3"},
                                                                      {"save_total_limit", "2"},
                                                                      {"resume_from_checkpoint", "auto"}})
    words.insert(words.end(), {"--" + name, value});
  words.insert(words.end(), {"--load_best_model_at_end", "--disable_tqdm"});
  return words;
}

Unbroken& Victim::unbroken() {
  static std::map<int64_t, Unbroken> by_steps;
  const auto [place, is_new] = by_steps.try_emplace(steps());
  Unbroken& found = place->second;
  if (!is_new) return found;
  const std::string folder = world_->path("unbroken");
  const auto begin = Clock::now();
  Background job(command(folder, {}, {"--save_total_limit", "0"}), world_->path("unbroken.txt"));
  EXPECT_EQ(job.exit_code(), kDone) << job.output();
  found = {{}, {}, read_file(folder + "/model.safetensors"), steps_in_metrics(folder), seconds_since(begin)};
  for (const StoredCheckpoint& stored : list_checkpoints(folder))
    expect_as_in(found, *stored.manifest);
  fs::remove_all(folder);
  return found;
}

std::unique_ptr<Background> Victim::go_on(const std::vector<std::string>& variables, const std::string& output) {
  began_from_ = newest_step();
  EXPECT_GE(began_from_, seen_) << "a checkpoint that was seen is lost";
  fs::remove(world_->path(output));  // what an earlier job has said
  return std::make_unique<Background>(command(run_folder(), variables, {}), world_->path(output));
}

std::unique_ptr<Background> Victim::train_anew(const std::vector<std::string>& variables) {
  const std::vector<std::string> anew{"--overwrite_output_dir", "--resume_from_checkpoint", "never", "--save_steps",
                                      std::to_string(newest_step())};
  return std::make_unique<Background>(command(run_folder(), variables, anew), world_->path("anew.txt"));
}

std::optional<pid_t> Victim::process_of(int rank) {
  const std::string variable = "OMPI_COMM_WORLD_RANK=" + std::to_string(rank);
  for (const SeenProcess& process : ranks()) {
    const std::string variables = read_file("/proc/" + std::to_string(process.pid) + "/environ");
    if (variables.find('\0' + variable + '\0') != std::string::npos) return process.pid;
  }
  return std::nullopt;
}

void Victim::begin_anew() {
  fs::remove_all(run_folder());
  seen_ = 0;
}

void Victim::look() {
  for (const auto& entry : fs::directory_iterator(run_folder(), ignored_)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("checkpoint-")) seen_ = std::max<int64_t>(seen_, std::stoll(name.substr(11)));
  }
}

double Victim::watch_its_end(Background& job, bool is_hurt) {
  std::set<pid_t> seen;
  left_.clear();
  const auto begin = Clock::now();
  std::optional<Clock::time_point> first_loss;
  if (is_hurt) first_loss = begin;
  for (bool is_left = true; is_left && seconds_since(begin) < kPatience;) {
    look();
    const std::vector<SeenProcess> found = processes();
    for (const SeenProcess& process : without_children(found))
      seen.insert(process.pid);
    if (!first_loss && std::ranges::any_of(seen, has_ended)) first_loss = Clock::now();
    if (first_loss && left_.empty() && seconds_since(*first_loss) > kAllowedSeconds) left_ = what_they_do(found);
    is_left = !found.empty() || !job.has_ended();  // at first it has not begun
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return first_loss ? seconds_since(*first_loss) : 0;
}

std::vector<StoredCheckpoint> Victim::stored() {
  return list_checkpoints(run_folder());
}

int64_t Victim::newest_step() {
  const std::vector<StoredCheckpoint> found = stored();
  return found.empty() || !found.front().manifest ? 0 : found.front().manifest->step;
}

void Victim::expect_nothing_lost() {
  const std::vector<StoredCheckpoint> found = stored();
  const Outcome verified = lockstep("verify " + run_folder());
  EXPECT_EQ(verified.exit_code, found.empty() ? kCheckpoint : kDone) << verified.output;
  EXPECT_GE(newest_step(), seen_) << "a checkpoint that was seen is lost";
  for (const StoredCheckpoint& checkpoint : found)
    if (checkpoint.manifest) expect_as_in(unbroken(), *checkpoint.manifest);  // else verify has told
  seen_ = newest_step();
}

bool Victim::ends_by_a_kill(Background& job, bool is_hurt, const std::string& words, FaultRow& row) {
  const double seconds = watch_its_end(job, is_hurt);
  if (job.exit_code() == kDone) return false;
  row.took(seconds);
  EXPECT_LE(seconds, kAllowedSeconds) << "until nobody was left\n" << left_;
  const std::string output = job.output();
  EXPECT_EQ(job.exit_code(), 128 + SIGKILL) << output;
  EXPECT_NE(output.find(words), std::string::npos) << output;
  EXPECT_EQ(start_of(output).value_or(began_from_), began_from_) << output;
  expect_nothing_lost();
  return true;
}

bool Victim::ends_by_a_request(Background& job, bool is_hurt, FaultRow& row) {
  const double seconds = watch_its_end(job, is_hurt);
  if (job.exit_code() == kDone) return false;
  row.took(seconds);
  EXPECT_LE(seconds, kAllowedSeconds + unbroken().seconds) << "until nobody was left\n" << left_;
  const std::string output = job.output();
  EXPECT_EQ(job.exit_code(), kStopped) << output;
  EXPECT_EQ(start_of(output), began_from_) << output;
  expect_nothing_lost();
  EXPECT_THAT(output, testing::HasSubstr("stopped on request after step " + std::to_string(newest_step()) + " of "));
  EXPECT_THAT(leftovers(), testing::IsEmpty());
  return true;
}

void Victim::expect_that_it_ends_as_if_unbroken() {
  expect_to_end_as_unbroken(*go_on());
}

void Victim::expect_to_end_as_unbroken(Background& job) {
  EXPECT_EQ(job.exit_code(), kDone) << job.output();
  EXPECT_EQ(start_of(job.output()), began_from_) << job.output();
  expect_as_unbroken();
}

void Victim::expect_as_unbroken() {
  expect_nothing_lost();
  EXPECT_EQ(newest_step(), steps());
  EXPECT_EQ(read_file(run_folder() + "/model.safetensors") == unbroken().model, true);
  EXPECT_EQ(steps_in_metrics(run_folder()), unbroken().metrics);
  EXPECT_THAT(leftovers(), testing::IsEmpty());
}

std::vector<fs::path> Victim::leftovers() {
  std::vector<fs::path> hidden;
  for (const auto& entry : fs::directory_iterator(run_folder()))
    if (entry.path().filename().string().starts_with(".")) hidden.push_back(entry.path());
  return hidden;
}

}  // namespace lockstep::tests
