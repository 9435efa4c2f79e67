mod caught;
mod play;
mod properties;
mod speed;
