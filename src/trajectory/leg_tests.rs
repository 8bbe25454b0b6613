//! Legs.
