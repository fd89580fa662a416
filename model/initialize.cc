#include "model/initialize.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string_view>

#include "model/philox.h"

namespace lockstep::model {
namespace {

/// normal(0, deviation) by Box and Muller's transform: two 64-bit uniforms, two values. The slot's offset keeps the
/// streams of parameters apart.
void fill_normal(std::span<float> values, uint64_t seed, int64_t stream, double deviation) {
  const PhiloxKey key = philox_key(seed, 0);
  const auto count = static_cast<int64_t>(values.size());
#pragma omp parallel for
  for (int64_t pair = 0; pair < (count + 1) / 2; ++pair) {
    const auto part = [](int64_t value, int shift) {
      return static_cast<uint32_t>(static_cast<uint64_t>(value) >> shift);
    };
    const PhiloxWords w = philox({part(pair, 0), part(pair, 32), part(stream, 0), part(stream, 32)}, key);
    const auto unit = [](uint32_t high, uint32_t low) {  // in (0, 1)
      return (static_cast<double>((uint64_t{high} << 32 | low) >> 12) + 0.5) * 0x1p-52;
    };
    const double radius = deviation * std::sqrt(-2 * std::log(unit(w[0], w[1])));
    const double angle = 2 * std::numbers::pi * unit(w[2], w[3]);
    values[2 * pair] = static_cast<float>(radius * std::cos(angle));
    if (2 * pair + 1 < count) values[2 * pair + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

void fill_sinusoidal(std::span<float> values, int64_t dim) {
  for (size_t i = 0; i < values.size(); ++i) {
    const auto column = static_cast<int64_t>(i) % dim;
    const int64_t position = static_cast<int64_t>(i) / dim, pair = column / 2;
    const double power = 2.0 * static_cast<double>(pair) / static_cast<double>(dim);
    const double angle = static_cast<double>(position) / std::pow(10000.0, power);
    values[i] = static_cast<float>(column % 2 == 0 ? std::sin(angle) : std::cos(angle));
  }
}

}  // namespace

void initialize_slot(const DistilBertConfig& config, const ParameterSlot& slot, uint64_t seed,
                     std::span<float> values) {
  const std::string_view name = slot.name;
  if (name.ends_with(".bias")) return std::fill(values.begin(), values.end(), 0.0F);
  if (slot.shape.size() == 1) return std::fill(values.begin(), values.end(), 1.0F);  // LayerNorm's weight
  if (config.sinusoidal_pos_embds && name.ends_with("position_embeddings.weight"))
    return fill_sinusoidal(values, config.dim);
  fill_normal(values, seed, slot.offset, config.initializer_range);
  if (name.ends_with("word_embeddings.weight"))
    std::fill_n(values.begin() + config.pad_token_id * config.dim, config.dim, 0.0F);
}

bool is_head(const ParameterSlot& slot) {
  return slot.name.starts_with("pre_classifier.") || slot.name.starts_with("classifier.");
}

}  // namespace lockstep::model
