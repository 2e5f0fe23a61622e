import Boosting
import EnsembleModel
import Synchronization

/// What is kept of a cross-fitted set of models.
public struct FittedSet: Sendable {
    /// Out-of-fold loss of each row, in nats.
    let rowLosses: [Double]
    /// Out-of-fold most probable class of each row.
    let predictedClasses: [UInt8]
    /// The LightGBM text model of each fold.
    let texts: [[UInt8]]

    fileprivate var byteCount: Int { rowLosses.count * 9 + texts.reduce(0) { $0 + $1.count } }
}

/// Cross-fitted sets by the content of everything that made them, kept from one evaluation to the next.
///
/// A champion is fitted once however many challengers it meets. Since a fit is deterministic, a hit gives the bits that
/// fitting anew would give. The longest unused leave when the capacity is reached.
public final class FitCache: Sendable {
    private struct Entry {
        let value: FittedSet
        var lastUse: Int
    }

    private struct State {
        var entries: [ContentDigest: Entry] = [:]
        var byteCount = 0
        var uses = 0
    }

    private let capacityBytes: Int
    private let state = Mutex(State())

    /// Creates an empty cache.
    ///
    /// - Parameter capacityBytes: most memory that it holds; 0 keeps nothing.
    public init(capacityBytes: Int) { self.capacityBytes = capacityBytes }

    func value(for key: ContentDigest, make: () throws -> FittedSet) rethrows -> FittedSet {
        let known = state.withLock { state in
            state.uses += 1
            state.entries[key]?.lastUse = state.uses
            return state.entries[key]?.value
        }
        if let known { return known }
        let value = try make()
        state.withLock { state in
            guard value.byteCount <= capacityBytes, state.entries[key] == nil else { return }
            state.entries[key] = Entry(value: value, lastUse: state.uses)
            state.byteCount += value.byteCount
            while state.byteCount > capacityBytes,
                let oldest = state.entries.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                state.entries[oldest.key] = nil
                state.byteCount -= oldest.value.value.byteCount
            }
        }
        return value
    }

    /// The digest of what all sets of an evaluation have in common.
    static func key(_ inputs: Inputs, preset: Policy.Preset, library: LightGBM) -> ContentDigest {
        CanonicalValue.object([
            "validation": .string(inputs.validation.digest.hex), "salt": .string(inputs.salt),
            "columns": .string(inputs.columns.rawValue), "preset": .string(preset.rawValue),
            "library": .string(library.sha256.hex),
        ]).digest
    }

    /// The digest of a set. Names are part of it: they are written into the text models.
    static func key(
        _ common: ContentDigest, members: [ModelVersionID], inputs: Inputs
    ) throws(EvaluationError) -> ContentDigest {
        var parts: [CanonicalValue] = [.string(common.hex)]
        for member in members { parts += [.string(member.description), .string(try inputs.digest(of: member).hex)] }
        return CanonicalValue.array(parts).digest
    }
}
