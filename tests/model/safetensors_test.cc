#include "model/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <sstream>

#include "model/error.h"
#include "tests/support/process.h"
#include "tests/support/require.h"

namespace lockstep::model {
namespace {

/// A file of these parts; the length field says what the header has unless told otherwise.
void write_raw(const std::string& path, const std::string& header, const std::string& data, uint64_t length = ~0ULL) {
  if (length == ~0ULL) length = header.size();
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(&length), sizeof(length));
  file << header << data;
}

std::string complaint_about(const std::string& path) {
  try {
    SafetensorsFile::open(path);
  } catch (const ModelFileError& error) {
    return error.what();
  }
  return "";
}

constexpr const char* kA = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";

TEST(Safetensors, GivesBackWhatWasWritten) {
  const tests::TemporaryFolder folder;
  const std::vector<float> a = {1, -2.5F, 3e38F, 0, 1e-42F, 7};
  const std::vector<float> b = {42};
  const TensorToWrite tensors[] = {{"a", {2, 3}, a}, {"scalar", {}, b}, {"empty", {0, 4}, {}}};
  write_safetensors(folder / "file", tensors);
  const SafetensorsFile file = SafetensorsFile::open(folder / "file");
  EXPECT_EQ(file.tensors().size(), 3U);
  EXPECT_EQ(file.tensors().at("a").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(file.floats("a"), a);
  EXPECT_EQ(file.floats("scalar"), b);
  EXPECT_TRUE(file.floats("empty").empty());
}

TEST(Safetensors, WidensHalfAndBfloat16Exactly) {
  const tests::TemporaryFolder folder;
  const uint16_t half[] = {0x3C00, 0xC000, 0x0001, 0x7BFF, 0x8000, 0x7C00, 0x03FF};
  const uint16_t brain[] = {0x3F80, 0xC000, 0x7F7F};
  std::string data(sizeof(half) + sizeof(brain), '\0');
  std::memcpy(data.data(), half, sizeof(half));
  std::memcpy(data.data() + sizeof(half), brain, sizeof(brain));
  write_raw(folder / "file", R"({"h":{"dtype":"F16","shape":[7],"data_offsets":[0,14]},
                                 "b":{"dtype":"BF16","shape":[3],"data_offsets":[14,20]}})",
            data);
  const SafetensorsFile file = SafetensorsFile::open(folder / "file");
  EXPECT_EQ(file.floats("h"), (std::vector<float>{1, -2, 0x1p-24F, 65504, -0.0F, INFINITY, 1023 * 0x1p-24F}));
  EXPECT_EQ(file.floats("b"), (std::vector<float>{1, -2, 0x1.fep127F}));
}

TEST(Safetensors, ATensorOfIntegersIsNotReadAsFloats) {
  const tests::TemporaryFolder folder;
  write_raw(folder / "file", R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", "12345678");
  const SafetensorsFile file = SafetensorsFile::open(folder / "file");
  EXPECT_THROW(file.floats("a"), ModelContractError);
  EXPECT_THROW(file.floats("b"), ModelContractError);
}

struct Damage {
  const char* name;
  std::string header;
  std::string data;
  const char* complaint;

  // GoogleTest's name. NOLINTNEXTLINE(readability-identifier-naming)
  friend void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.name; }
};

class DamagedSafetensors : public testing::TestWithParam<Damage> {};

TEST_P(DamagedSafetensors, AreRefusedWithTheReason) {
  const tests::TemporaryFolder folder;
  write_raw(folder / "file", GetParam().header, GetParam().data);
  const std::string complaint = complaint_about(folder / "file");
  EXPECT_NE(complaint.find(folder / "file"), std::string::npos) << complaint;
  EXPECT_NE(complaint.find(GetParam().complaint), std::string::npos) << complaint;
}

std::string one(const std::string& entry) {
  return "{\"a\":" + entry + "}";
}
std::string with(const std::string& second) {
  return "{" + std::string(kA) + "," + second + "}";
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, DamagedSafetensors,
    testing::Values(
        Damage{"NotJson", "{\"a\":", "", "not valid JSON"}, Damage{"NotAnObject", "[]", "", "expected a JSON object"},
        Damage{"NestedDeeply", one(std::string(200'000, '[') + std::string(200'000, ']')), "", "nested more than 16"},
        Damage{"NestedDeeplyAside", R"({"__metadata__":)" + std::string(200'000, '[') + std::string(200'000, ']') + "}",
               "", "nested more than 16"},
        Damage{"TwoOfOneName", with(R"("a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]})"), std::string(16, 'x'),
               "stands twice"},
        Damage{"TwoOfOneField", one(R"({"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})"), "12345678",
               "stands twice"},
        Damage{"Overlap", with(R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]})"), std::string(12, 'x'),
               "overlaps"},
        Damage{"Gap", with(R"("b":{"dtype":"F32","shape":[2],"data_offsets":[12,20]})"), std::string(20, 'x'),
               "a gap before it"},
        Damage{"DataCutShort", "{" + std::string(kA) + "}", "1234567", "cut short"},
        Damage{"DataTooLong", "{" + std::string(kA) + "}", "123456789", "something follows"},
        Damage{"SizeOverflows", one(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})"),
               "12345678", "overflows"},
        Damage{"SideBeyondInt64", one(R"({"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,8]})"),
               "12345678", "overflows"},
        Damage{"NegativeSide", one(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})"), "12345678",
               "not a natural number"},
        Damage{"BytesOfAnotherShape", one(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})"), "12345678",
               "do not span the 12 bytes"},
        Damage{"BytesOfAnotherType", one(R"({"dtype":"F16","shape":[2],"data_offsets":[0,8]})"), "12345678",
               "do not span the 4 bytes"},
        Damage{"RangeBackwards", one(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})"), "12345678", "do not span"},
        Damage{"RangeNotAPair", one(R"({"dtype":"F32","shape":[2],"data_offsets":[8]})"), "12345678",
               "expected [begin, end]"},
        Damage{"UnknownType", one(R"({"dtype":"F31","shape":[2],"data_offsets":[0,8]})"), "12345678", "unknown dtype"},
        Damage{"NoShape", one(R"({"dtype":"F32","form":[2],"data_offsets":[0,8]})"), "12345678", "has no \"shape\""},
        Damage{"NoElementsInSomeBytes", one(R"({"dtype":"F32","shape":[0],"data_offsets":[0,8]})"), "12345678",
               "do not span the 0 bytes"},
        Damage{"NoElementsOfManyInSomeBytes", one(R"({"dtype":"F32","shape":[4,0,4],"data_offsets":[0,64]})"),
               std::string(64, 'x'), "do not span the 0 bytes"},
        Damage{"NoElementsInsideAnother", with(R"("b":{"dtype":"F32","shape":[0],"data_offsets":[4,4]})"), "12345678",
               "starts at byte 4 of the data, expected 8: it overlaps"},
        Damage{"NoElementsBeyondTheEnd", with(R"("b":{"dtype":"F32","shape":[0],"data_offsets":[16,16]})"), "12345678",
               "starts at byte 16 of the data, expected 8: a gap"},
        Damage{"NoElementsAfterOverflow",
               one(R"({"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]})"), "", "overflows"},
        Damage{"MatrixInsideAnother", with(R"("b":{"dtype":"U8","shape":[2,2],"data_offsets":[4,8]})"), "12345678",
               "starts at byte 4 of the data, expected 8: it overlaps"},
        Damage{"ByteOrderMark", "\xEF\xBB\xBF{" + std::string(kA) + "}", "12345678", "does not begin with {"},
        Damage{"TextAfterNul", "{" + std::string(kA) + "}" + std::string("\0[", 2), "12345678", "has a NUL byte"},
        Damage{"MetadataInAList", with(R"("__metadata__":["pt"])"), "12345678", R"(__metadata__ is ["pt"], expected)"},
        Damage{"MetadataOfNumbers", with(R"("__metadata__":{"epoch":1})"), "12345678", "expected an object of strings"},
        Damage{"UnknownField", one(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1})"), "12345678",
               "expected dtype, shape"}),
    [](const auto& damage) { return damage.param.name; });

TEST(DamagedSafetensors, AComplaintIsShortHoweverLongTheNamesAre) {
  const tests::TemporaryFolder folder;
  write_raw(folder / "file",
            "{\"" + std::string(100'000, 'n') + "\":{\"dtype\":\"" + std::string(100'000, 't') +
                "\",\"shape\":[],\"data_offsets\":[]}}",
            "");
  EXPECT_LT(complaint_about(folder / "file").size(), 500U);
}

TEST(DamagedSafetensorsLength, IsRefusedBeforeTheHeaderIsRead) {
  const tests::TemporaryFolder folder;
  write_raw(folder / "long", "{}", "", (16 << 20) + 1);
  EXPECT_NE(complaint_about(folder / "long").find("more than the 16777216 that are read"), std::string::npos);
  write_raw(folder / "short", "{}", "", 3);
  EXPECT_NE(complaint_about(folder / "short").find("cut short"), std::string::npos);
  std::ofstream(folder / "short") << "1234567";
  EXPECT_NE(complaint_about(folder / "short").find("too few"), std::string::npos);
  std::ofstream(folder / "empty").close();
  EXPECT_NE(complaint_about(folder / "empty").find("too few"), std::string::npos);
  EXPECT_NE(complaint_about(folder / "missing").find("cannot be opened"), std::string::npos);
}

TEST(Safetensors, TensorsWithoutElementsLieBeforeAndAfterOthers) {
  const tests::TemporaryFolder folder;
  for (const char* range : {"[0,0]", "[8,8]"}) {
    write_raw(folder / "file", with(R"("b":{"dtype":"F32","shape":[0,3],"data_offsets":)" + std::string(range) + "}"),
              "12345678");
    EXPECT_TRUE(SafetensorsFile::open(folder / "file").floats("b").empty()) << range;
  }
}

/// Of the inputs in tests/fuzz/corpus, among which are those on which the two once differed.
TEST(Safetensors, NothingIsTakenThatHuggingFacesReaderRefuses) {
  const std::string python = tests::environment("LOCKSTEP_PYTHON"), source = tests::environment("LOCKSTEP_SOURCE");
  LOCKSTEP_NEEDS("transformers", tests::run(python + " -c 'import safetensors'").exit_code == 0, "no safetensors");
  const tests::TemporaryFolder folder;
  const std::string unpack = source + "/tests/fuzz/corpus.py unpack " + source + "/tests/fuzz/corpus/safetensors.txt ";
  const std::string judge = source + "/tests/model/rust_safetensors.py ";
  const tests::Outcome judged = tests::run(python + " " + unpack + folder.path().string() + " && " + python + " " +
                                           judge + folder.path().string());
  ASSERT_EQ(judged.exit_code, 0) << judged.output;
  std::istringstream lines(judged.output);
  int taken = 0, refused = 0;
  for (std::string name, verdict; lines >> name && std::getline(lines >> std::ws, verdict);) {
    const bool is_taken = verdict == "taken";
    ++(is_taken ? taken : refused);
    EXPECT_TRUE(is_taken || !complaint_about(folder / name).empty()) << verdict;
  }
  EXPECT_GE(taken, 3);
  EXPECT_GE(refused, 150);
}

TEST(SafetensorsWriter, NamesThePathThatCannotBeWritten) {
  try {
    write_safetensors("/dev/full", std::vector<TensorToWrite>{});
    FAIL() << "no error";
  } catch (const std::system_error& error) {
    EXPECT_NE(std::string(error.what()).find("/dev/full"), std::string::npos);
  }
}

std::string complaint_about_entry(const std::string& entry, const std::string& data) {
  const tests::TemporaryFolder folder;
  write_raw(folder / "file", one(entry), data);
  return complaint_about(folder / "file");
}

// audio.cpp#138: offsets below zero led out of the file's memory.
TEST(NeverAgain, NegativeOffsetsAreRefused) {
  EXPECT_NE(complaint_about_entry(R"({"dtype":"F32","shape":[2],"data_offsets":[-8,0]})", "12345678")
                .find("expected [begin, end]"),
            std::string::npos);
}

// imp#1603: numbers were read as doubles, so that 8.5 was 8 and 2^53 + 1 was 2^53.
TEST(NeverAgain, NumbersAreNotReadAsDoubles) {
  for (const char* range : {"[0,8.0]", "[0,8.5]", "[0,0.8e1]"})
    EXPECT_NE(
        complaint_about_entry(R"({"dtype":"F32","shape":[2],"data_offsets":)" + std::string(range) + "}", "12345678")
            .find("expected [begin, end]"),
        std::string::npos)
        << range;
  EXPECT_NE(
      complaint_about_entry(R"({"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,9007199254740992]})", "")
          .find("do not span the 9007199254740993 bytes"),
      std::string::npos);
}

// fastllm#712: a header length near 2^64 wrapped around when 8 was added.
TEST(NeverAgain, AHeaderLengthThatWrapsAroundIsRefused) {
  const tests::TemporaryFolder folder;
  for (const uint64_t length : {~0ULL - 1, ~0ULL - 7, ~0ULL - 8, 1ULL << 63}) {
    write_raw(folder / "file", "{}", "", length);
    EXPECT_NE(complaint_about(folder / "file").find("its header claims"), std::string::npos) << length;
  }
}

}  // namespace
}  // namespace lockstep::model
