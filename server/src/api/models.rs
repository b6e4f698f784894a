//! The model that is served.

use serde::Serialize;
use utoipa::ToSchema;

/// A model.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Model {
    /// Its name.
    pub id: String,
    /// `model`.
    pub object: &'static str,
    /// When the server began, seconds of Unix time.
    pub created: u64,
    /// `terntable`.
    pub owned_by: &'static str,
    /// Longest context, tokens.
    pub max_model_len: usize,
    /// Tokens of the vocabulary.
    pub vocab_size: usize,
}

/// All models: one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Models {
    /// `list`.
    pub object: &'static str,
    /// The models.
    pub data: Vec<Model>,
}
