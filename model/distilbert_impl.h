#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "model/attention.h"
#include "model/distilbert.h"

namespace lockstep::model {

/// Views of one layer's part of the flat parameters (or of their bf16 copy) and of the flat gradients, which are fp32.
struct Linear {
  at::Tensor weight, bias;  // [out, in], [out]; in the type of the activations that they meet
  at::Tensor weight_gradient, bias_gradient;
};
struct Norm {
  at::Tensor weight, bias;  // [dim]
  at::Tensor weight_gradient, bias_gradient;
};
struct Layer {
  Linear qkv, out, lin1, lin2;
  Norm attention_norm, output_norm;
  int64_t frontier = 0;  // end of its slots in the flat layout
};

/// What a LayerNorm keeps for backward: its input and the input's statistics.
struct NormState {
  at::Tensor input, mean, inverse_deviation;
};
/// What a layer keeps, [T, .] each. Buffers: they keep their memory from step to step.
struct LayerState {
  at::Tensor qkv, context, attended, hidden, output;  // attended: after sa_layer_norm; hidden: before the activation
  NormState attention_norm, output_norm;
};

/// One packed batch on the device.
struct Batch {
  Examples examples;
  Examples heads;                         // the same examples, one row each
  at::Tensor ids, positions, first_rows;  // [T], [T], [examples]; int64
};

/// Dropout of one step; off for evaluation.
struct DropoutRun {
  bool on = false;
  uint64_t seed = 0;
  int64_t step = 0;
};

struct DistilBert::Impl {
  Impl(DistilBertConfig config, const std::string& device, Precision precision);

  /// After every change of the parameters.
  void refresh_weights();

  Batch upload(const PackedInput& input, std::vector<int32_t>& head_offsets) const;

  /// Forward to the logits [examples, labels]; states are kept for backward if `run.on`.
  at::Tensor forward(const Batch& batch, const DropoutRun& run);
  void backward(const Batch& batch, const DropoutRun& run, const at::Tensor& logits_gradient,
                const GradientFrontier& frontier);

  const at::Tensor& embed(const Batch& batch, const DropoutRun& run);
  const at::Tensor& layer_forward(size_t index, const at::Tensor& input, const Batch& batch, const DropoutRun& run);
  at::Tensor head_forward(const Batch& batch, const DropoutRun& run, const at::Tensor& last);

  /// Each turns `gradient` of its output into that of its input and adds to the gradients of its parameters.
  void head_backward(const Batch& batch, const DropoutRun& run, const at::Tensor& logits_gradient);
  void layer_backward(size_t index, const at::Tensor& input, const Batch& batch, const DropoutRun& run);
  void embed_backward(const Batch& batch, const DropoutRun& run);

  DropoutPlace place(const DropoutRun& run, DropoutSite site, size_t layer, double p) const;
  LayerState& state(size_t layer, const DropoutRun& run);
  at::Tensor activate(const at::Tensor& hidden);
  at::Tensor flat_view(const at::Tensor& flat, const std::string& name, const std::vector<int64_t>& shape) const;
  /// `values`: `parameters` or `weights`.
  Linear linear(const at::Tensor& values, const std::string& name) const;
  Norm norm(const std::string& name) const;
  Layer layer(int64_t index) const;

  DistilBertConfig config;
  ParameterLayout layout;
  at::Device device;
  at::Tensor parameters, gradients;  // flat, on the device
  at::Tensor weights;  // what the layers compute with: `parameters`, or a bf16 copy of all up to the embeddings

  Linear classifier, pre_classifier;
  std::vector<Layer> layers;
  Norm embedding_norm;
  at::Tensor word, word_gradient, position, position_gradient;

  Attention attention;
  NormState embedding_state;
  at::Tensor embedded;  // after LayerNorm and dropout
  std::vector<LayerState> states;
  at::Tensor pooled, classifier_input;               // head, fp32: [examples, dim] before pre_classifier; after dropout
  at::Tensor gradient, branch, wide, wide_gradient;  // [T, dim], [T, dim], [T, hidden_dim], [T, hidden_dim]
  at::Tensor qkv_gradient;                           // [T, 3 * dim]
};

}  // namespace lockstep::model
