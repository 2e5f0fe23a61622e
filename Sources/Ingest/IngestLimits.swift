/// What one upload may cost, and what it must cover.
public struct IngestLimits: Hashable, Sendable {
    /// Bytes as sent.
    public var maximumBytes = 8 << 30
    /// Bytes after decompression.
    public var maximumDecompressedBytes = 32 << 30
    /// Decompressed bytes for each byte sent, once ``ratioAllowance`` is passed. Probabilities compress 2 to 20 times.
    public var maximumRatio = 200
    /// Decompressed bytes below which the ratio is not looked at.
    public var ratioAllowance = 16 << 20
    /// Rows of data.
    public var maximumRows = 10_000_000
    /// Bytes of one line of text (a record with its quoted line breaks), or of an .npy header.
    public var maximumLineBytes = 64 << 10
    /// Bytes of an id, a group or a slice.
    public var maximumTextBytes = 1024
    /// Rows of the validation set that must have a prediction, in percent.
    public var minimumCoveragePercent = 99
    /// Rows of each slice that must have a prediction, in percent.
    public var minimumSliceCoveragePercent = 97

    /// The limits as they are documented.
    public init() {}
}

/// How an upload is written.
public enum UploadFormat: String, Hashable, Sendable, CaseIterable {
    /// A header `id` and the class names in the ensemble's order, then one line a row, in any order (RFC 4180, UTF-8).
    case csv
    /// A NumPy array `<f4` or `<f8`, C order, shape (N, K), in row-id order; a row of NaN has no prediction.
    case npy
}
