//! What the golden model refuses.

use thiserror::Error;

/// A request that the model cannot serve. The text says what was expected, what was found and what
/// to do.
#[derive(Debug, Error, Clone, PartialEq)]
pub enum Error {
    /// A token id outside the vocabulary.
    #[error("token {token} is outside the vocabulary of {vocab} tokens; valid ids are 0..{vocab}")]
    Token {
        /// The id that was given.
        token: u32,
        /// Vocabulary size.
        vocab: usize,
    },
    /// A position past the model's context.
    #[error(
        "position {position} is past the model's context of {context} tokens; \
         shorten the prompt or ask for fewer tokens"
    )]
    Context {
        /// The position that was asked for.
        position: usize,
        /// Longest context, tokens.
        context: usize,
    },
    /// Slots of a sequence must fill its cache without a gap.
    #[error(
        "a slot at position {position} follows a cache of {length} positions; expected {length}"
    )]
    Gap {
        /// Position of the slot.
        position: usize,
        /// Positions in the cache.
        length: usize,
    },
    /// A configuration that no model can have.
    #[error("model configuration: {0}")]
    Config(String),
    /// A tensor whose shape does not fit the configuration.
    #[error("{name}: expected {expected}, found {found}")]
    Shape {
        /// Which tensor.
        name: String,
        /// Expected shape.
        expected: String,
        /// Found shape.
        found: String,
    },
    /// The device that executes linear layers or attention failed.
    #[error("{0}")]
    Device(String),
}
