// Placeholder of the frame; replaced by the module's first file.
