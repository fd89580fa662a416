// Forward and backward of DistilBERT's parts. T tokens in all, no padding; every tensor below is [T, .] or [examples,
// .].
#include <ATen/ATen.h>

#include "model/distilbert_impl.h"

namespace lockstep::model {
namespace {

/// [T, n * dim] apart, into n.
at::Tensor part(const at::Tensor& rows, int64_t index, int64_t dim) {
  return rows.narrow(1, index * dim, dim);
}

Projections parts_of(const at::Tensor& qkv, int64_t dim) {
  return {part(qkv, 0, dim), part(qkv, 1, dim), part(qkv, 2, dim)};
}
Projections parts_of(const at::Tensor& query, const at::Tensor& key_value, int64_t dim) {
  return {query, part(key_value, 0, dim), part(key_value, 1, dim)};
}

}  // namespace

DropoutPlace DistilBert::Impl::place(const DropoutRun& run, DropoutSite site, size_t layer, double p) const {
  return {{run.seed, run.step, 0, static_cast<uint32_t>(layer), site}, run.on ? p : 0.0};
}

/// Without a backward to come, two layers' worth of buffers take turns.
LayerState& DistilBert::Impl::state(size_t layer, const DropoutRun& run) {
  return states[run.on ? layer : layer % 2];
}

const at::Tensor& DistilBert::Impl::embed(const Batch& batch, const DropoutRun& run) {
  const int64_t tokens = batch.ids.size(0);
  at::index_select_out(fit(embedding_state.input, tokens, config.dim, parameters), word, 0, batch.ids);
  at::index_select_out(fit(embedding_rows, tokens, config.dim, parameters), position, 0, batch.positions);
  residual_norm(embedding_norm, embedding_state, embedding_rows, {}, normalized);
  drop_rows(normalized, batch.examples, place(run, DropoutSite::kEmbeddings, 0, config.dropout));
  if (weights.scalar_type() != at::kFloat) fit(embedded, tokens, config.dim, weights).copy_(normalized);
  return embeddings();
}

void DistilBert::Impl::embed_backward(const Batch& batch, const DropoutRun& run) {
  at::Tensor& rows = fit(embedding_rows, gradient.size(0), config.dim, parameters);
  rows.copy_(gradient);
  drop_rows(rows, batch.examples, place(run, DropoutSite::kEmbeddings, 0, config.dropout));
  residual_norm_backward(embedding_norm, embedding_state, {}, rows, rows, {});
  add_rows(position_gradient, batch.positions, rows);
  rows.masked_fill_(batch.ids.eq(config.pad_token_id).unsqueeze(1), 0);  // as torch's padding_idx
  add_rows(word_gradient, batch.ids, rows);
}

AttentionRows DistilBert::Impl::attention_rows(size_t layer, const Batch& batch) const {
  return {is_last(layer) ? batch.heads : batch.examples, batch.examples};
}

void DistilBert::Impl::project(size_t index, const at::Tensor& input, const Batch& batch, LayerState& s) const {
  const Layer& layer = layers[index];
  if (!is_last(index)) return apply(layer.qkv, input, s.qkv);
  at::index_select_out(fit(s.first_rows, batch.heads.count(), config.dim, input), input, 0, batch.first_rows);
  apply(layer.query, s.first_rows, s.first_query);
  apply(layer.key_value, input, s.qkv);
}

Projections DistilBert::Impl::projections(size_t index, const LayerState& s) const {
  return is_last(index) ? parts_of(s.first_query, s.qkv, config.dim) : parts_of(s.qkv, config.dim);
}

Projections DistilBert::Impl::projection_gradients(size_t index, const Batch& batch) {
  const int64_t tokens = batch.ids.size(0), dim = config.dim;
  if (!is_last(index)) return parts_of(fit(qkv_gradient, tokens, 3 * dim, weights), dim);
  return parts_of(fit(query_gradient, batch.heads.count(), dim, weights), fit(qkv_gradient, tokens, 2 * dim, weights),
                  dim);
}

void DistilBert::Impl::project_backward(size_t index, const at::Tensor& input, const Batch& batch) {
  const Layer& layer = layers[index];
  if (!is_last(index)) {
    add_gradients(layer.qkv, input, qkv_gradient);
    add_transposed(layer.qkv, qkv_gradient, gradient);
    return;
  }
  add_gradients(layer.query, states[index].first_rows, query_gradient);
  add_gradients(layer.key_value, input, qkv_gradient);
  add_transposed(layer.query, query_gradient, gradient);
  apply_transposed(layer.key_value, qkv_gradient, branch);
  branch.index_add_(0, batch.first_rows, gradient);
  std::swap(branch, gradient);
}

const at::Tensor& DistilBert::Impl::layer_forward(size_t index, const at::Tensor& input, const Batch& batch,
                                                  const DropoutRun& run) {
  const Layer& layer = layers[index];
  LayerState& s = state(index, run);
  const AttentionRows rows = attention_rows(index, batch);
  project(index, input, batch, s);
  const at::Tensor& residual = is_last(index) ? s.first_rows : input;
  fit(s.context, residual.size(0), config.dim, input);
  attention.forward(projections(index, s), rows, place(run, DropoutSite::kAttention, index, config.attention_dropout),
                    s.context, s.attention);
  apply(layer.out, s.context, s.attention_norm.input);
  residual_norm(layer.attention_norm, s.attention_norm, residual, {}, s.attended);

  apply(layer.lin1, s.attended, s.hidden);
  activate(config.activation, s.hidden, wide);
  apply(layer.lin2, wide, s.output_norm.input);
  residual_norm(layer.output_norm, s.output_norm, s.attended,
                {rows.queries, place(run, DropoutSite::kFeedForward, index, config.dropout)}, s.output);
  return s.output;
}

void DistilBert::Impl::layer_backward(size_t index, const at::Tensor& input, const Batch& batch,
                                      const DropoutRun& run) {
  const Layer& layer = layers[index];
  const LayerState& s = states[index];
  const AttentionRows rows = attention_rows(index, batch);
  // From here `gradient` is that of the feed-forward's output, `branch`, and of `attended`.
  residual_norm_backward(layer.output_norm, s.output_norm,
                         {rows.queries, place(run, DropoutSite::kFeedForward, index, config.dropout)}, gradient, branch,
                         layer.lin2.bias_gradient);
  apply_transposed(layer.lin2, branch, wide_gradient);
  activate_backward(config.activation, s.hidden, wide_gradient, wide, layer.lin1.bias_gradient);
  add_weight_gradient(layer.lin2, wide, branch);
  add_weight_gradient(layer.lin1, s.attended, wide_gradient);
  add_transposed(layer.lin1, wide_gradient, gradient);

  // And from here that of attention's output and of `input`.
  residual_norm_backward(layer.attention_norm, s.attention_norm, {}, gradient, gradient, layer.out.bias_gradient);
  add_weight_gradient(layer.out, s.context, gradient);
  apply_transposed(layer.out, gradient, branch);
  attention.backward(projections(index, s), s.context, branch, s.attention, rows,
                     place(run, DropoutSite::kAttention, index, config.attention_dropout),
                     projection_gradients(index, batch));
  project_backward(index, input, batch);
}

at::Tensor DistilBert::Impl::head_forward(const Batch& batch, const DropoutRun& run, const at::Tensor& last) {
  pooled = last.to(at::kFloat);
  apply(pre_classifier, pooled, classifier_input);
  classifier_input.clamp_min_(0);
  drop_rows(classifier_input, batch.heads, place(run, DropoutSite::kClassifier, 0, config.seq_classif_dropout));
  at::Tensor logits;
  apply(classifier, classifier_input, logits);
  return logits;
}

void DistilBert::Impl::head_backward(const Batch& batch, const DropoutRun& run, const at::Tensor& logits_gradient) {
  add_gradients(classifier, classifier_input, logits_gradient);
  at::Tensor d_input = at::mm(logits_gradient, classifier.weight);
  drop_rows(d_input, batch.heads, place(run, DropoutSite::kClassifier, 0, config.seq_classif_dropout));
  d_input = at::threshold_backward(d_input, classifier_input, 0);  // what dropout zeroed is zero in d_input already
  add_gradients(pre_classifier, pooled, d_input);
  fit(gradient, d_input.size(0), config.dim, weights).copy_(at::mm(d_input, pre_classifier.weight));
}

}  // namespace lockstep::model
