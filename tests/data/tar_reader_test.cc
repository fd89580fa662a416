// Archives come from the network: what is damaged or leads out of the archive is refused by name.

#include "data/tar_reader.h"

#include <gtest/gtest.h>

#include "data/error.h"
#include "tar_builder.h"
#include "tests/support/process.h"
#include "tests/support/text.h"

namespace lockstep::tests {
namespace {

using data::DataError;
using data::TarReader;
using Files = std::vector<std::pair<std::string, std::string>>;

class TarReaderTest : public testing::Test {
 protected:
  std::string plain(const std::string& bytes) {
    write_file(folder_ / "a.tar", bytes);
    return folder_ / "a.tar";
  }
  std::string gzipped(const std::string& bytes) {
    write_gzip(folder_ / "a.tar.gz", bytes);
    return folder_ / "a.tar.gz";
  }
  static Files read_all(const std::string& archive, int64_t max_bytes = 1 << 20, data::TarLimits limits = {}) {
    TarReader reader(archive, limits);
    Files files;
    while (const auto entry = reader.next())
      files.emplace_back(entry->path, reader.read(max_bytes));
    return files;
  }
  static std::string error_of(const std::string& archive) {
    return message_of<DataError>([&] { read_all(archive); });
  }

  TemporaryFolder folder_;
};

const std::string kLongPath = std::string(120, 'a') + "/" + std::string(130, 'b') + ".txt";

TEST_F(TarReaderTest, FilesOfPlainAndGzippedArchivesAreReadInOrder) {
  const auto tar = TarBuilder().add("d/", "", '5').add("d/one.txt", "1").add("./d//two.txt", std::string(513, '2'));
  const Files expected = {{"d/one.txt", "1"}, {"d/two.txt", std::string(513, '2')}};
  EXPECT_EQ(read_all(plain(tar.finished())), expected);
  EXPECT_EQ(read_all(gzipped(tar.finished())), expected);
}

TEST_F(TarReaderTest, AnArchiveThatIsMostlyZerosIsRefusedBeforeItIsUnpackedWhole) {
  const auto tar = TarBuilder().add("zeros", std::string(200 << 20, '\0'));
  TarReader reader(gzipped(tar.finished()));
  ASSERT_TRUE(reader.next());
  const auto error = message_of<DataError>([&] { reader.next(); });
  EXPECT_TRUE(contains(error, "it unpacks to more than 200 times its size")) << error;
}

TEST_F(TarReaderTest, MoreFilesAndFoldersThanTheLimitAreRefused) {
  const auto archive = plain(TarBuilder().add("d/", "", '5').add_gnu_long(kLongPath, "1").add("two", "2").finished());
  EXPECT_EQ(read_all(archive, 100, {.entries = 3}).size(), 2u);
  const auto error = message_of<DataError>([&] { read_all(archive, 100, {.entries = 2}); });
  EXPECT_EQ(error.find(archive + ": has more than 2 files and folders"), 0) << error;
}

TEST_F(TarReaderTest, MoreBytesThanTheLimitAreRefusedThoughNobodyReadsThem) {
  const std::string bytes = TarBuilder().add("one", "1").add("big", std::string(100'000, 'x')).finished();
  for (const std::string& archive : {plain(bytes), gzipped(bytes)}) {
    EXPECT_EQ(read_all(archive, 100'000, {.bytes = std::ssize(bytes)}).size(), 2u);
    TarReader reader(archive, {.bytes = 50'000});
    EXPECT_TRUE(reader.next() && reader.next());
    const auto error = message_of<DataError>([&] { reader.next(); });
    EXPECT_EQ(error.find(archive + ": has more than 50000 bytes when unpacked"), 0) << error;
  }
}

TEST_F(TarReaderTest, AFileThatIsCalledAsTheFolderItselfIsRefused) {
  for (const char* name : {".", "./."})
    EXPECT_TRUE(contains(error_of(plain(TarBuilder().add(name, "1").finished())), "is a file without a name")) << name;
}

TEST_F(TarReaderTest, LongNamesOfGnuAndPaxAreWhole) {
  const auto tar = TarBuilder().add_gnu_long(kLongPath, "gnu").add("s", "0").add_pax(kLongPath, "pax").add("t", "1");
  const Files expected = {{kLongPath, "gnu"}, {"s", "0"}, {kLongPath, "pax"}, {"t", "1"}};
  EXPECT_EQ(read_all(plain(tar.finished())), expected);
}

TEST_F(TarReaderTest, ArchivesOfTheTarProgramAreRead) {
  const std::string deep = folder_ / (std::string(90, 'x') + "/" + std::string(200, 'y'));
  std::filesystem::create_directories(deep);
  write_file(deep + "/f.txt", "text");
  for (const std::string format : {"gnu", "pax"}) {
    const std::string archive = folder_ / (format + ".tar.gz");
    ASSERT_EQ(run("tar -C '" + folder_.path().string() + "' --format=" + format + " -czf '" + archive + "' " +
                  std::string(90, 'x'))
                  .exit_code,
              0);
    EXPECT_EQ(read_all(archive), (Files{{std::string(90, 'x') + "/" + std::string(200, 'y') + "/f.txt", "text"}}));
  }
}

TEST_F(TarReaderTest, UnreadEntriesArePassedOverWhateverTheirSize) {
  TarReader reader(plain(TarBuilder().add("big", std::string(100000, 'x')).add("small", "s").finished()));
  reader.next();
  ASSERT_EQ(reader.next()->path, "small");
  EXPECT_EQ(reader.read(10), "s");
}

TEST_F(TarReaderTest, OversizeEntryIsRefusedByName) {
  const auto archive = plain(TarBuilder().add("first", "1").add("huge.txt", std::string(2000, 'x')).finished());
  const auto error = message_of<DataError>([&] { read_all(archive, 1999); });
  EXPECT_TRUE(contains(error, "\"huge.txt\" at byte 1024 has 2000 bytes")) << error;
}

TEST_F(TarReaderTest, PathsThatLeadOutOfTheArchiveAreRefused) {
  for (const std::string path : {"../evil.txt", "a/../../evil.txt", "a/..", "/etc/evil.txt"}) {
    EXPECT_TRUE(contains(error_of(plain(TarBuilder().add(path, "x").finished())), '"' + path + '"')) << path;
    EXPECT_TRUE(contains(error_of(plain(TarBuilder().add_pax(path, "x").finished())), '"' + path + '"')) << path;
    EXPECT_TRUE(contains(error_of(plain(TarBuilder().add_gnu_long(path, "x").finished())), '"' + path + '"')) << path;
  }
}

TEST_F(TarReaderTest, EverythingButFilesAndFoldersIsRefused) {
  const std::vector<std::pair<char, std::string>> types = {
      {'1', "a hard link"},  {'2', "a symbolic link"}, {'3', "a device"},    {'4', "a device"},
      {'6', "a named pipe"}, {'S', "a sparse file"},   {'Z', "unknown type"}};
  for (const auto& [type, name] : types) {
    const auto error = error_of(plain(TarBuilder().add("ok", "1").add("odd", "", type).finished()));
    EXPECT_TRUE(contains(error, "\"odd\" at byte 1024") && contains(error, name)) << error;
  }
}

TEST_F(TarReaderTest, EveryTruncationIsRefused) {
  const auto tar = TarBuilder().add("one", std::string(700, '1')).add_pax("two", "2");
  for (size_t size = 0; size <= tar.body().size(); size += 64)
    EXPECT_TRUE(contains(error_of(plain(tar.body().substr(0, size))), "ends at byte " + std::to_string(size))) << size;
}

TEST_F(TarReaderTest, EveryTruncationOfGzipDataIsRefused) {
  const std::string whole = read_file(gzipped(TarBuilder().add("one", "1").add("two", "2").finished()));
  for (size_t size = 0; size < whole.size(); ++size)
    EXPECT_NE(error_of(plain(whole.substr(0, size))), "") << size;
}

// Harmless: the header's time and system, bits that fill up a byte, a copy from another place with the same content.
TEST_F(TarReaderTest, FlippedBitsOfGzipDataAreRefusedOrHarmless) {
  const std::string whole = read_file(gzipped(TarBuilder().add("one", "1").add("two", "2").finished()));
  int refused = 0;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    const std::string archive = plain(damaged);
    if (error_of(archive).empty())
      ASSERT_EQ(read_all(archive), (Files{{"one", "1"}, {"two", "2"}})) << "bit " << bit;
    else
      ++refused;
  }
  EXPECT_GT(refused, static_cast<int>(whole.size() * 8) / 2);
}

TEST_F(TarReaderTest, WrongHeaderChecksumIsRefusedWithItsOffset) {
  std::string bytes = TarBuilder().add("one", "1").add("two", "2").finished();
  bytes[1024] = 'T';
  EXPECT_TRUE(contains(error_of(plain(bytes)), "the header at byte 1024 has a wrong checksum"));
}

TEST_F(TarReaderTest, OtherFilesAreNotTakenForArchives) {
  EXPECT_TRUE(contains(error_of(plain(std::string(2000, 'x'))), "not a tar archive"));
  EXPECT_TRUE(contains(error_of(folder_ / "absent.tar"), "cannot be opened"));
}

TEST_F(TarReaderTest, ImpossibleSizesAreRefusedBeforeMemoryIsTaken) {
  EXPECT_NE(error_of(plain(TarBuilder().add_header("x", int64_t{8} << 30).finished())), "");
  EXPECT_TRUE(
      contains(error_of(plain(TarBuilder().add_header("l", int64_t{1} << 30, 'L').finished())), "bytes of names"));
}

TEST_F(TarReaderTest, MalformedPaxRecordsAreRefused) {
  for (const std::string record : {"x path=a\n", "99 path=a\n", "9 path=a", "0 \n", "3", "1 ", "12 path=abc"})
    EXPECT_TRUE(contains(error_of(plain(TarBuilder().add("p", record, 'x').add("f", "").finished())), "malformed"))
        << record;
}

}  // namespace
}  // namespace lockstep::tests
