import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import Ingest
import RegistryAPI
import RegistryStore
import Synchronization

/// Receives uploads: checks them while they stream in, in bounded memory, and stores them whole or not at all.
///
/// No database connection is held while a body arrives: predictions are spooled to a temporary file in row order first.
final class Uploads: Sendable {
    private let store: RegistryStore
    private let limits: DaemonLimits
    private let spoolDirectory: String
    private let indexes: ValidationIndexCache
    private let running = Mutex(0)

    init(store: RegistryStore, limits: DaemonLimits, spoolDirectory: String) {
        self.store = store
        self.limits = limits
        self.spoolDirectory = spoolDirectory
        indexes = ValidationIndexCache(capacity: limits.cachedValidationSets)
    }

    /// Reads a labels file (`id,label[,group][,slice]`) from a request's body.
    func receiveLabels(_ request: Request, classes: [String]) async throws -> ValidationSet {
        try await withTurn {
            let encoding = try UploadEncoding(request, limits: limits)
            guard encoding.format == .csv else {
                throw Problem(.unsupportedMediaType, detail: "labels are sent as text/csv")
            }
            let ingest = try LabelIngest(classes: classes, gzip: encoding.gzip, limits: ingestLimits)
            try await stream(request, digest: encoding.digest) { try ingest.consume($0) }
            return try ingest.finish()
        }
    }

    /// Reads a prediction file from a request's body and stores it as a submission.
    ///
    /// - Returns: The submission, and false when the same had been submitted before and stands.
    func receivePredictions(
        _ request: Request, ensemble: EnsembleRecord, model: ModelVersionID, metadata: ModelMetadata,
        idempotencyKey: String?,
        actor: String
    ) async throws -> (record: SubmissionRecord, accepted: Bool) {
        try await withTurn {
            let encoding = try UploadEncoding(request, limits: limits)
            let index = try await indexes.index(of: ensemble.epoch.validation) { [store] in
                try await store.validationSet(ensemble: ensemble.name, epoch: ensemble.epoch.number)
            }
            let ingest = try PredictionIngest(
                format: encoding.format, gzip: encoding.gzip, validation: index,
                spoolDirectory: spoolDirectory, limits: ingestLimits)
            try await stream(request, digest: encoding.digest) { try ingest.consume($0) }
            let spooled = try ingest.finish()
            let submission = RegistryStore.NewSubmission(
                ensemble: ensemble.name, epoch: ensemble.epoch.number, model: model, metadata: metadata,
                predictions: spooled.digest, rowCount: spooled.rowCount - spooled.missingRowCount,
                missingRowCount: spooled.missingRowCount,
                idempotencyKey: idempotencyKey, actor: actor)
            return try await store.submit(submission) { write in
                try await spooled.withBlocks { try await write($0) }
            }
        }
    }

    private var ingestLimits: IngestLimits {
        var ingest = IngestLimits()
        ingest.maximumBytes = limits.uploadBytes
        return ingest
    }

    /// Bounds the uploads that run at once.
    private func withTurn<Result>(_ body: () async throws -> Result) async throws -> Result {
        let admitted = running.withLock { running in
            guard running < limits.concurrentUploads else { return false }
            running += 1
            return true
        }
        guard admitted else {
            throw Problem(
                .busy,
                detail: "\(limits.concurrentUploads) uploads are being checked already; send it again in a moment")
        }
        defer { running.withLock { $0 -= 1 } }
        return try await body()
    }

    /// Hands the body on piece by piece and compares it with the digest the sender announced.
    private func stream(
        _ request: Request, digest expected: ContentDigest?, into consume: (UnsafeRawBufferPointer) throws -> Void
    ) async throws {
        var hasher = ContentHasher()
        for try await buffer in request.body {
            try buffer.withUnsafeReadableBytes { bytes in
                if expected != nil { hasher.update(bytes) }
                try consume(bytes)
            }
        }
        if let expected, hasher.finish() != expected {
            throw Problem(
                .digestMismatch,
                detail:
                    "the body's sha256 is not the one in Content-Digest: it was changed or cut on its way; "
                    + "send it again")
        }
    }
}
