#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "model/distilbert.h"

namespace lockstep::model {

/// How ranks exchange gradients.
struct ExchangeForm {
  bool bfloat16 = false;  // rounded to the nearest, even on a tie; else fp32
  bool on_host = false;   // else in the memory of the model's device
};

/// A model's flat gradient in the form in which ranks exchange it: its own storage where that is fp32 in the right
/// memory, and then nothing is copied; else a copy, pinned where a GPU's is on the host. Numbers are floats, or
/// uint16_t that are the upper halves of floats. Copies are over when they return if one of the two is on the host;
/// else they are queued on the model's compute stream. One thread calls.
class ExchangeBuffer {
 public:
  ExchangeBuffer(DistilBert& model, ExchangeForm form);  // `model` must outlive it
  ~ExchangeBuffer();
  ExchangeBuffer(const ExchangeBuffer&) = delete;
  ExchangeBuffer& operator=(const ExchangeBuffer&) = delete;

  const ExchangeForm& form() const { return form_; }
  /// `layout().size` numbers.
  void* data();
  /// Elements [begin, end) of the model's gradient into the buffer, and back.
  void load(int64_t begin, int64_t end);
  void store(int64_t begin, int64_t end);

  /// For exchanging the word embeddings' gradient without the rows that no example of a step touched: its rows `ids`
  /// (each once) one after another, [ids.size() * dim] numbers beside data(), valid until the next load_word_rows().
  /// Throws std::invalid_argument for an id beyond the vocabulary.
  void* load_word_rows(std::span<const int32_t> ids);
  /// The rows that were loaded last, back to where they came from.
  void store_word_rows();

 private:
  struct Impl;
  ExchangeForm form_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::model
