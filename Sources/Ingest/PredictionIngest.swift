/// Checks one upload of predictions while it is sent, in bounded memory; one task at a time uses it.
///
/// Push the bytes as they come with ``consume(_:)``, then take the rows from ``finish()``. Memory: the index, one line,
/// one bit for each row and 16 KiB for each 65,536 rows. The rows wait in a temporary file.
public final class PredictionIngest {
    private let content: any PredictionContent
    private let check: UploadCheck

    /// Begins an upload.
    ///
    /// - Parameters:
    ///   - format: how the upload is written.
    ///   - gzip: whether it is compressed.
    ///   - validation: the rows and classes that it must be for.
    ///   - spoolDirectory: an existing directory for the temporary file.
    ///   - limits: what it may cost and must cover.
    /// - Throws: ``IngestError`` with code `spool` when the temporary file cannot be made.
    public init(
        format: UploadFormat, gzip: Bool, validation: ValidationIndex, spoolDirectory: String,
        limits: IngestLimits = IngestLimits()
    ) throws(IngestError) {
        do throws(IngestStop) {
            let rows = try PredictionRows(validation: validation, limits: limits, spoolDirectory: spoolDirectory)
            content =
                switch format {
                case .csv: CSVPredictions(rows)
                case .npy: NPYPredictions(rows)
                }
            check = try UploadCheck(content, gzip: gzip, limits: limits)
        } catch {
            throw FaultLog().error(endedBy: error)
        }
    }

    /// Checks the next bytes of the upload.
    ///
    /// - Throws: ``IngestError`` for what makes the rest useless (not gzip, a wrong header, too large, no space), with
    ///   the faults found before; the upload can be answered at once. Faults of single rows wait for ``finish()``.
    public func consume(_ bytes: UnsafeRawBufferPointer) throws(IngestError) {
        try check.consume(bytes)
    }

    /// Checks the end of the upload.
    ///
    /// - Returns: the rows, in row-id order.
    /// - Throws: ``IngestError`` with every kind of fault found.
    public func finish() throws(IngestError) -> SpooledPredictions {
        try check.finish()
        do throws(IngestStop) {
            return try content.rows.spooled()
        } catch {
            throw FaultLog().error(endedBy: error)
        }
    }
}

/// Content whose rows are predictions.
protocol PredictionContent: UploadContent {
    var rows: PredictionRows { get set }
}
