// The standard library's withUnsafeBytes of arrays does not carry the type of what its body throws; these do.
extension [UInt8] {
    /// Lends the bytes.
    func lend<Result>(
        _ body: (UnsafeRawBufferPointer) throws(IngestStop) -> Result
    ) throws(IngestStop) -> Result {
        try withUnsafeBufferPointer { (bytes) throws(IngestStop) in try body(UnsafeRawBufferPointer(bytes)) }
    }

    /// Lends the bytes for writing.
    mutating func lendMutable<Result>(
        _ body: (UnsafeMutableRawBufferPointer) throws(IngestStop) -> Result
    ) throws(IngestStop) -> Result {
        try withUnsafeMutableBufferPointer { (bytes) throws(IngestStop) in
            try body(UnsafeMutableRawBufferPointer(bytes))
        }
    }
}
