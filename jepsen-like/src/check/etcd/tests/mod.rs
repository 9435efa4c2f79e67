mod play;
mod properties;
