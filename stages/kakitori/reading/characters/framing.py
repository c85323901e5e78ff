"""How large a character stands in its normalised image: what whoever makes such images and whoever
learns from them agree on."""

EXTENT = 0.875  # of the image's side: what the longer side of a character fills
MAX_ENLARGEMENT = 1.5  # a mark written small in its frame (っ, ゛) stays smaller than a full one
MIN_CONTRAST = 16  # of 255 levels between paper and ink; below it a frame counts as empty
