//! Signing in: attempts, second factors, refresh tokens, keys of access tokens.

mod attempts;
mod second_factors;
mod tokens;
