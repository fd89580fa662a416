// A job whose network is slow tells so, and where.
#include "tests/hosts/several_hosts.h"
#include "tests/support/records.h"

namespace lockstep {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using tests::Outcome;
using tests::SeveralHosts;

class SlowLink : public SeveralHosts {
 protected:
  void TearDown() override {
    if (world_ != nullptr) host("mend " + slow_);
    SeveralHosts::TearDown();
  }
  std::string train_behind(const std::string& slow, const std::string& hosts) {
    slow_ = slow;
    EXPECT_EQ(host("slow " + slow + " 5mbit").exit_code, 0);
    const Outcome outcome = on("h1", launch(hosts) + train(run_, 25));
    EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
    return outcome.output;
  }
  /// Of the step in which somebody is sure to have noticed.
  nlohmann::json record(int step) const {
    for (const nlohmann::json& found : tests::records_of(tests::read_file(run_ + "/metrics.jsonl")))
      if (found["step"] == step) return found;
    return {};
  }

  std::string slow_;
};

TEST_F(SlowLink, OfOneOfThreeHostsIsNamed) {
  const std::string said = train_behind("h2", "h1:1,h2:1,h3:1");
  EXPECT_THAT(said,
              ContainsRegex("warning: the network keeps the ranks waiting: of a step's [0-9]+ ms, [0-9]+ ms are for "
                            "0.[0-9] MB of gradients to travel. Measured just now, the slowest link is that of h2: "
                            "[01].[0-9] MB/s, [0-9.]+ ms there and back; the other hosts have at least [0-9]+"));
  EXPECT_THAT(said, Not(HasSubstr("keeps the others waiting"))) << "each rank's own time is as long as the others'";
  const nlohmann::json step = record(20);
  EXPECT_GT(step["network_s"], 0.05) << step;
  EXPECT_GT(step["network_s"], 2 * step["rank_seconds"][0].get<double>()) << step;
}

TEST_F(SlowLink, BetweenTwoHostsIsTheirs) {
  EXPECT_THAT(train_behind("h2", "h1:2,h2:2"), ContainsRegex("the link between h1 and h2 carries [01].[0-9] MB/s"));
}

}  // namespace
}  // namespace lockstep
