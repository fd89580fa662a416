#pragma once

#include <filesystem>
#include <string>

namespace lockstep {

/// `name_or_path` if it is a folder; else the snapshot of that name in the local Hugging Face cache (HF_HUB_CACHE,
/// HF_HOME, ~/.cache/huggingface). Nothing is downloaded. Throws SettingsError that tells how to get the model.
std::filesystem::path find_model_folder(const std::string& name_or_path);

/// The same for commands that load the model, which a checkpoint's folder is not: SettingsError that tells how to make
/// one of it.
std::filesystem::path find_weights_folder(const std::string& name_or_path);

}  // namespace lockstep
