// Each system call of a save fails, or the process is killed there: those of the ranks' I/O threads, of rank 0's that
// commits, and of rank 0's main thread that makes the folder. An ordinary save is traced first, so that no call is left
// out; then strace injects a fault into one thread's K-th call of a name.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <regex>
#include <span>
#include <stdexcept>
#include <utility>

#include "tests/fault/system_calls.h"
#include "tests/fault/victim.h"
#include "tests/support/held_thread.h"
#include "tests/support/require.h"

namespace lockstep {
namespace {

using testing::HasSubstr;
using tests::becomes_true;
using tests::Call;
using tests::calls_in;
using tests::Fault;
using tests::FaultRow;
using tests::HeldThread;
using tests::is_whole;
using tests::kKill;
using tests::Part;

/// The first commit of another training in the folder, which takes the name of the newest checkpoint there.
const Part kExchange{"commit-begin", 0, {"best_model.copy", "RENAME_EXCHANGE"}};
/// What ends the main thread's part: the folder is announced, or why there is none, and a thread begins to write.
const std::regex kAnnounced("\\nclone3?\\(");
const Part kParts[] = {{"shard-begin", 0, {"fsync("}},
                       {"shard-begin", 1, {"fsync("}},
                       {"commit-begin", 0, {"best_model.copy", ".removing-"}},
                       {"announcing", 0, {"mkdir(", "link(", "/checkpoint-"}}};  // whose best model it links

class Syscalls : public tests::Victim {
 protected:
  /// Evaluations are so rare that some saves copy the best model and others link it, also on a busy machine, whose
  /// saves are many steps apart.
  Syscalls() : Victim(240, 20) {}
  static constexpr int kTries = 32;

  /// Shards of two blocks and a part: full blocks are written in another way than the rest.
  static void SetUpTestSuite() {
    world_ = std::make_unique<tests::TinyWorld>(48, tests::TinyWorld::config(12000));
    hurry();
  }

  void SetUp() override {
    LOCKSTEP_NEEDS("strace", tests::run("strace -f -qq -e inject=fsync:error=EIO true").exit_code == 0,
                   "no strace, or this user may not trace");
    Victim::SetUp();
  }

  void start(const Part& part) {
    const std::string failpoint = std::string(part.failpoint) + ":" + std::to_string(part.rank) + ":3:hold";
    job_ = go_on({"LOCKSTEP_FAILPOINT=" + failpoint, gate_.variable()});
  }

  /// The next thread of the job that begins that part; nothing if the job comes to its end.
  std::optional<HeldThread> next_one(const Part& part) {
    std::optional<HeldThread> held;
    becomes_true(
        [&] {
          if (const auto process = process_of(part.rank)) held = HeldThread::of(*process);
          return held || job_->has_ended();
        },
        tests::kPatience);
    look();
    return held;
  }

  /// Traces the thread from where it is held to its end, with these faults; the main thread until the folder is
  /// announced. The other rank stands still meanwhile, so that the training does not run away. Returns what strace
  /// wrote.
  std::string trace(const Part& part, const HeldThread& held, const std::vector<std::string>& faults) {
    const std::string log = world_->path("calls.txt"), words = world_->path("strace.txt");
    for (const std::string& earlier : {log, words})
      std::filesystem::remove(earlier);
    std::vector<std::string> command{
        "strace", "-o", log, "-e", "trace=%file,%desc,clone,clone3", "-p", std::to_string(held.thread)};
    for (const std::string& fault : faults)
      command.insert(command.end() - 2, {"-e", "inject=" + fault});
    const auto other = process_of(1 - part.rank);
    if (other) ::kill(*other, SIGSTOP);
    {
      tests::Background strace(command, words);
      EXPECT_TRUE(is_attached(strace)) << strace.output();
      gate_.let_pass(held);
      const bool is_main = held.thread == held.process;
      const auto has_announced = [&] { return std::regex_search(tests::read_file(log), kAnnounced); };
      EXPECT_TRUE(becomes_true([&] { return strace.has_ended() || (is_main && has_announced()); }, tests::kPatience));
    }
    if (other) ::kill(*other, SIGCONT);
    return tests::read_file(log);
  }

  /// The calls of one ordinary save.
  std::vector<Call> calls_of(const Part& part) {
    std::string log;
    for (int saves = 0; saves < kTries && !is_whole(part, log); ++saves)
      log = trace(part, hold(part), {});
    EXPECT_TRUE(is_whole(part, log)) << part.failpoint << " of rank " << part.rank << ": " << log;
    end_job();
    return calls_in(log);
  }

  /// Has a thread at the beginning of that part, with the job started, or started again, where it has to be.
  HeldThread hold(const Part& part) {
    for (int jobs = 0; jobs < 2; ++jobs) {  // the first may go on from shortly before the end
      if (!job_) start(part);
      if (const auto held = next_one(part)) return *held;
      end_well();
      job_.reset();
    }
    throw std::runtime_error(std::string("no job comes to ") + part.failpoint);
  }

  /// Repeats what may miss its call: after another one's failure there are more or less of them, more as long as the
  /// checkpoint of the best evaluation is kept beside the newest two, and others where its model is linked than copied.
  static bool succeeds_once(const std::function<bool()>& trial) {
    for (int i = 0; i < kTries; ++i)
      if (trial()) return true;
    return false;
  }

  /// After a call that failed the checkpoint is there, or it was dropped with a warning; the one before is there.
  bool fail(const Fault& fault) {
    const HeldThread held = hold(*fault.part);
    const int64_t before = newest_step();
    const size_t warned = warnings();
    const std::string log = trace(*fault.part, held, {fault.injection()});
    if (log.find(fault.mark()) == std::string::npos) return false;
    expect_no_second_fsync(log);
    next_one(*fault.part);  // by then it is known what became of that save
    expect_nothing_lost();
    EXPECT_TRUE(newest_step() > before || warnings() > warned) << job_->output();
    return true;
  }

  bool kill_at(const Fault& fault, FaultRow& row) {
    const HeldThread held = hold(*fault.part);
    const std::string log = trace(*fault.part, held, {fault.injection()});
    if (log.find(fault.mark()) == std::string::npos) return false;
    expect_the_end_of_a_kill(*fault.part, row);
    return true;
  }

  void expect_the_end_of_a_kill(const Part& part, FaultRow& row) {
    EXPECT_TRUE(ends_by_a_kill(*job_, true, "error: rank " + std::to_string(part.rank) + " on host ", row));
    job_.reset();
  }

  /// One call fails, and rank 0 is killed while it clears away what the checkpoint had become.
  bool fail_and_kill(const Fault& fault, int files, FaultRow& row) {
    const HeldThread held = hold(*fault.part);
    const auto main_thread = std::to_string(process_of(0).value());
    const Fault death{fault.part, {"unlinkat", files}, kKill};
    tests::Background killer({"strace", "-e", "trace=unlinkat", "-e", "inject=" + death.injection(), "-p", main_thread},
                             world_->path("killer.txt"));
    EXPECT_TRUE(is_attached(killer));
    const std::string log = trace(*fault.part, held, {fault.injection()});
    next_one(*fault.part);
    const bool is_killed = killer.output().find(death.mark()) != std::string::npos;
    killer.signal(SIGINT);
    pairs_ += is_killed ? 1 : 0;
    if (is_killed)
      expect_the_end_of_a_kill(kParts[0], row);
    else
      expect_nothing_lost();
    return is_killed || log.find(fault.mark()) != std::string::npos;
  }

  static bool is_attached(const tests::Background& strace) {
    return becomes_true([&] { return strace.output().find("attached") != std::string::npos; }, tests::kPatience);
  }

  /// Warnings of saves that failed, apart from those that were left out.
  size_t warnings() const { return count(job_->output(), "no checkpoint of step [0-9]+: (?!that of step)"); }

  static size_t count(const std::string& text, const char* pattern) {
    const std::regex words(pattern);
    return static_cast<size_t>(std::distance(std::sregex_iterator(text.begin(), text.end(), words), {}));
  }

  /// The job came to its end; its last save may have been hit. What it said that it could not remove, the next one
  /// does.
  void end_well() {
    const int code = job_->exit_code();
    const std::string output = job_->output();
    const bool lacks_one = std::regex_search(output, std::regex("checkpoints? could not be written"));
    EXPECT_TRUE(code == kDone || (code == kStorage && lacks_one)) << code << "\n" << output;
    EXPECT_LE(leftovers().size(), count(output, "an old checkpoint could not be removed")) << output;
    if (code == kDone && leftovers().empty())
      expect_as_unbroken();
    else
      expect_that_it_ends_as_if_unbroken();
    begin_anew();
  }

  /// What an fsync that failed has lost stays lost: another one of the same descriptor would say that all is well.
  static void expect_no_second_fsync(const std::string& log) {
    std::smatch match, next;
    if (!std::regex_search(log, match, std::regex("f(?:data)?sync\\(([0-9]+)\\)[^\n]*INJECTED"))) return;
    const std::string rest = match.suffix();
    std::regex_search(rest, next, std::regex("(fsync|fdatasync|close)\\(" + match[1].str() + "\\)"));
    EXPECT_TRUE(next.empty() || next[1] == "close") << log;
  }

  /// Each of these calls with each of `kinds`.
  static std::vector<Fault> faults(const Part& part, const std::vector<Call>& calls,
                                   const std::vector<std::string>& kinds) {
    std::printf("%s of rank %d: %zu calls\n", part.failpoint, part.rank, calls.size());
    std::vector<Fault> all;
    for (const Call& call : calls)
      for (const std::string& kind : kinds)
        all.push_back({&part, call, kind});
    std::erase_if(all, [](const Fault& fault) { return !fault.is_possible(); });
    return all;
  }

  /// As many of them at random as the row has trials, by part. LOCKSTEP_FAULT_ONLY, a regular expression, takes those
  /// whose words match.
  static std::vector<Fault> chosen(std::vector<Fault> all, const FaultRow& row) {
    const std::regex wish(tests::environment("LOCKSTEP_FAULT_ONLY"));
    std::erase_if(all, [&](const Fault& fault) { return !std::regex_search(fault.words(), wish); });
    FaultRow::Random random(row.seed());
    std::shuffle(all.begin(), all.end(), random);
    all.resize(std::min(all.size(), static_cast<size_t>(row.trials())));
    std::ranges::stable_sort(all, {}, &Fault::part);
    return all;
  }

  /// The last calls of the longest save may not come again after a kill, and are then not tried. Most do.
  void try_some(const std::vector<Fault>& all, FaultRow& row, const std::function<bool(const Fault&)>& trial) {
    const Part* part = nullptr;
    std::string missed;
    int64_t missing = 0;
    const std::vector<Fault> some = chosen(all, row);
    for (const Fault& fault : some) {
      if (fault.part != std::exchange(part, fault.part)) end_job();
      SCOPED_TRACE("again: tests/fault/campaign --row " + row.name() + " --trials 100000 --only '" + fault.words() +
                   "$'");
      row.count([&] {
        if (succeeds_once([&] { return trial(fault); })) return;
        row.was_no_trial();
        missed += fault.words() + "\n";
        ++missing;
      });
    }
    end_job();
    if (missing > 0) std::printf("did not come again: %s", missed.c_str());
    EXPECT_LE(4 * missing, 3 * std::ssize(some)) << missed;
  }

  void try_each(FaultRow& row, const std::vector<std::string>& kinds, const std::function<bool(const Fault&)>& trial) {
    std::vector<Fault> all;
    for (const Part& part : parts_)
      std::ranges::copy(faults(part, calls_of(part), kinds), std::back_inserter(all));
    try_some(all, row, trial);
    expect_that_it_ends_as_if_unbroken();
  }

  /// A thread that is about to exchange two checkpoints' names, of a job that was started for it.
  /// The checkpoints are late enough for one of a best model.
  HeldThread hold_exchange() {
    end_job();
    begin_anew();
    EXPECT_EQ(go_on({"LOCKSTEP_FAILPOINT=evaluated:0:3:kill"})->exit_code(), 128 + SIGKILL);
    job_ = train_anew({"LOCKSTEP_FAILPOINT=commit-begin:0:1:hold", gate_.variable()});
    return next_one(kExchange).value();
  }

  /// The calls of a commit that exchanges names, from one that nothing happens to.
  std::vector<Call> calls_of_exchange() {
    const std::string log = trace(kExchange, hold_exchange(), {});
    EXPECT_TRUE(is_whole(kExchange, log)) << log;
    end_job();
    return calls_in(log);
  }

  /// Neither of the two trainings has lost what it had committed, and the folder can be gone on with.
  void expect_both_are_whole(size_t before) {
    end_job();
    for (const StoredCheckpoint& checkpoint : stored())
      EXPECT_EQ(problem_with(checkpoint, true), std::nullopt) << checkpoint.folder;
    EXPECT_GE(stored().size(), before);
    expect_that_it_ends_as_if_unbroken();
  }

  /// Whether there was such a call.
  bool hit_exchange(const Fault& fault) {
    const HeldThread held = hold_exchange();
    const size_t before = stored().size();
    const std::string log = trace(kExchange, held, {fault.injection()});
    if (log.find(fault.mark()) == std::string::npos) return false;
    expect_no_second_fsync(log);
    if (fault.kind != kKill) next_one(kExchange);  // by then it is known what became of that save
    expect_both_are_whole(before);
    return true;
  }

  void try_exchanges(FaultRow& row, const std::vector<std::string>& kinds) {
    try_some(faults(kExchange, calls_of_exchange(), kinds), row,
             [&](const Fault& fault) { return hit_exchange(fault); });
  }

  void end_job() {
    if (!job_) return;
    job_->signal(SIGKILL);
    watch_its_end(*job_, true);
    job_.reset();
  }

  std::unique_ptr<tests::Background> job_;
  std::span<const Part> parts_ = kParts;
  int pairs_ = 0;  // trials in which both faults came by
  const tests::Gate gate_{world_->path("gate")};
};

TEST_F(Syscalls, OneThatFailsCostsOneCheckpointAtMost) {
  FaultRow row("syscall_errors", 40);
  try_each(row, {"ENOSPC", "EIO", "EDQUOT", "EACCES", "EROFS", "EMFILE"},
           [&](const Fault& fault) { return fail(fault); });
}

TEST_F(Syscalls, AKillAtOneLosesNothing) {
  FaultRow row("syscall_kills", 15);
  try_each(row, {kKill}, [&](const Fault& fault) { return kill_at(fault, row); });
}

TEST_F(Syscalls, AKillAfterOneThatFailedLosesNothing) {
  FaultRow row("syscall_pairs", 12);
  FaultRow::Random random(row.seed());
  parts_ = parts_.first(3);  // the last one's main thread has made nothing yet
  try_each(row, {"ENOSPC", "EIO"},
           [&](const Fault& fault) { return fail_and_kill(fault, static_cast<int>(1 + random() % 4), row); });
  std::printf("killed after a failure: %d\n", pairs_);
}

TEST_F(Syscalls, OneThatFailsInAnExchangeOfNamesLosesNeitherCheckpoint) {
  FaultRow row("exchange_errors", 6);
  try_exchanges(row, {"ENOSPC", "EIO", "EDQUOT", "EACCES", "EROFS", "EMFILE"});
}

TEST_F(Syscalls, AKillInAnExchangeOfNamesLosesNeitherCheckpoint) {
  FaultRow row("exchange_kills", 6);
  try_exchanges(row, {kKill});
}

TEST_F(Syscalls, AnExchangeOfNamesThatIsNotFlushedRemovesNeitherCheckpoint) {
  EXPECT_EQ(go_on({"LOCKSTEP_FAILPOINT=concluded:0:4:kill"})->exit_code(), 128 + SIGKILL);
  const size_t before = stored().size();
  const Part exchange{"exchanged", 0, {"fsync("}};
  job_ = train_anew({"LOCKSTEP_FAILPOINT=exchanged:0:1:hold", gate_.variable()});
  EXPECT_THAT(trace(exchange, next_one(exchange).value(), {"fsync:error=EIO:when=1"}), HasSubstr("(INJECTED)"));
  std::vector<std::filesystem::path> left;  // between two saves, whose folders are hidden ones, too
  EXPECT_TRUE(becomes_true([&] { return warnings() > 0 && (left = leftovers()).size() == 1; }, tests::kPatience))
      << job_->output();
  ASSERT_EQ(left.size(), 1);
  EXPECT_EQ(problem_with(read_checkpoint(left.front()), true), std::nullopt);
  EXPECT_EQ(stored().size(), before);
  end_job();
  expect_that_it_ends_as_if_unbroken();
}

}  // namespace
}  // namespace lockstep
