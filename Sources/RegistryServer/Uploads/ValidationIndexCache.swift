import EnsembleModel
import Ingest

/// Keeps the id indexes of the validation sets used last: an index is built once, not once an upload.
actor ValidationIndexCache {
    private let capacity: Int
    private var entries: [(digest: ContentDigest, index: Task<ValidationIndex, any Error>)] = []

    init(capacity: Int) {
        self.capacity = capacity
    }

    /// The index of a validation set, loaded when it is not at hand; requests at the same time share one load.
    func index(
        of digest: ContentDigest, load: @escaping @Sendable () async throws -> ValidationSet
    ) async throws -> ValidationIndex {
        if let position = entries.firstIndex(where: { $0.digest == digest }) {
            entries.append(entries.remove(at: position))
        } else {
            // Shared by all who ask for it, so it belongs to none of their tasks.
            entries.append((digest, Task { try await ValidationIndex(load()) }))
            if entries.count > capacity { entries.removeFirst() }
        }
        guard let entry = entries.last else { preconditionFailure("an entry was just appended") }
        do {
            return try await entry.index.value
        } catch {
            entries.removeAll { $0.index == entry.index }
            throw error
        }
    }
}
