#include "launcher/find_model_folder.h"

#include <cstdlib>
#include <fstream>

#include "data/input_path.h"
#include "launcher/checkpoint/manifest.h"
#include "launcher/errors.h"

namespace lockstep {

namespace fs = std::filesystem;

namespace {

std::string environment_or(const char* name, const std::string& otherwise) {
  const char* value = std::getenv(name);
  return value && *value ? value : otherwise;
}

fs::path hugging_face_cache() {
  const fs::path home = environment_or(
      "HF_HOME", environment_or("XDG_CACHE_HOME", environment_or("HOME", ".") + "/.cache") + "/huggingface");
  return environment_or("HF_HUB_CACHE", (home / "hub").string());
}

/// hub/models--ORG--NAME/snapshots/REVISION, the revision that refs/main names.
fs::path cached_snapshot(const std::string& name) {
  std::string folder = "models--" + name;
  for (size_t slash; (slash = folder.find('/')) != std::string::npos;)
    folder.replace(slash, 1, "--");
  const fs::path model = hugging_face_cache() / folder;
  std::string revision;
  std::ifstream(model / "refs" / "main") >> revision;
  const fs::path snapshot = model / "snapshots" / revision;
  return !revision.empty() && data::is_folder(snapshot) ? snapshot : fs::path();
}

}  // namespace

fs::path find_model_folder(const std::string& name_or_path) {
  if (data::is_folder(name_or_path)) return name_or_path;
  if (fs::path snapshot = cached_snapshot(name_or_path); !snapshot.empty()) return snapshot;
  throw SettingsError(
      "model " + name_or_path + " is neither a folder nor in the Hugging Face cache (" + hugging_face_cache().string() +
      "). Download it on a machine with a network (hf download " + name_or_path +
      "), or give the folder that holds config.json, model.safetensors and vocab.txt or tokenizer.json");
}

fs::path find_weights_folder(const std::string& name_or_path) {
  fs::path folder = find_model_folder(name_or_path);
  if (data::is_there(folder / kManifestName) && !data::is_there(folder / "model.safetensors"))
    throw SettingsError(name_or_path + " is a checkpoint; lockstep export " + name_or_path +
                        " --output_dir DIR makes a model of it");
  return folder;
}

}  // namespace lockstep
