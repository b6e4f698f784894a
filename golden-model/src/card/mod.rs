//! The whole card: its configurations, its commands, images, programs, and a model of it that gives
//! the bits of every buffer after every command.

pub mod build;
pub mod command;
pub mod config;
pub mod generate;
pub mod image;
pub mod kv;
pub mod layout;
pub mod machine;
pub mod pass;
pub mod program;
pub mod shape;
pub mod stripe;
