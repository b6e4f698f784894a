//! Which software's GGUF it is.

use crate::{ElementType, Gguf};

/// The software whose conventions a file follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Mainline llama.cpp.
    LlamaCpp,
    /// The fork of llama.cpp that comes with BitNet.
    BitNetFork,
}

impl Dialect {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::LlamaCpp => "llama.cpp",
            Self::BitNetFork => "BitNet fork of llama.cpp",
        }
    }
}

impl Gguf {
    /// The dialect, and what shows it.
    pub fn dialect(&self) -> (Dialect, String) {
        let architecture = self.architecture().unwrap_or("none");
        if ["bitnet-b1.58", "bitnet-25"].contains(&architecture) {
            return (Dialect::BitNetFork, format!("architecture {architecture} is the fork's own"));
        }
        let own = |element: &ElementType| element.of_the_fork();
        match self.tensors().iter().map(|tensor| tensor.element).find(own) {
            Some(element) => (Dialect::BitNetFork, format!("{element} is a type of the fork")),
            None => (
                Dialect::LlamaCpp,
                format!("architecture {architecture}, and no type that is the fork's alone"),
            ),
        }
    }
}
