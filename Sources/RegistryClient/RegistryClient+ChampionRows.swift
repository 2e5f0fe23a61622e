import AsyncHTTPClient
public import EnsembleModel
import Foundation
import NIOCore
import NIOFoundationCompat
public import RegistryAPI

/// The labelled rows that a champion is judged on.
public struct ChampionRows: Sendable {
    /// What they are of.
    public let header: ChampionRowsHeader
    /// Rows and labels; they have the header's digest.
    public let validation: ValidationSet
    /// N x K: the plain average of the members' predictions.
    public let predictions: Predictions
}

extension RegistryClient {
    /// An ensemble's labelled rows with the average of its champion's members; for the scope `audit`, and on record
    /// there.
    ///
    /// - Throws: ``RegistryClientError`` with code `digestMismatch` when the rows are not those of the registry's
    ///   validation set, as when the answer was cut.
    public func championRows(ensemble: String) async throws -> ChampionRows {
        let response = try await perform(APIRequest(path: APIPath.championRows(checked(ensemble)))) { $0 }
        var iterator = response.body.makeAsyncIterator()
        var (pending, table) = (ByteBuffer(), ChampionTable())
        while var piece = try await next(&iterator) {
            pending.writeBuffer(&piece)
            while let end = pending.readableBytesView.firstIndex(of: UInt8(ascii: "\n")) {
                let length = end - pending.readerIndex
                guard let line = pending.readData(length: length) else { break }
                pending.moveReaderIndex(forwardBy: 1)
                try table.add(line)
            }
            pending.discardReadBytes()
            guard pending.readableBytes <= configuration.maximumAnswerBytes else {
                throw RegistryClientError(
                    .protocolViolation,
                    "a line of the registry's answer is longer than \(configuration.maximumAnswerBytes) bytes")
            }
        }
        return try table.finish()
    }
}

/// Puts the lines of an answer together.
private struct ChampionTable {
    private var header: ChampionRowsHeader?
    private var rows: [ValidationSet.Row] = []
    private var values: [Float] = []

    mutating func add(_ line: Data) throws {
        do {
            guard let header else {
                header = try APIJSON.decoder().decode(ChampionRowsHeader.self, from: line)
                return
            }
            let chunk = try APIJSON.decoder().decode(ChampionRowsChunk.self, from: line)
            let count = chunk.ids.count
            guard
                [chunk.labels.count, chunk.groups.count, chunk.slices.count].allSatisfy({ $0 == count }),
                chunk.probabilities.count == count * header.classes.count
            else { throw Self.unreadable(nil) }
            for index in 0..<count {
                rows.append(
                    .init(
                        id: chunk.ids[index], label: chunk.labels[index], group: chunk.groups[index],
                        slice: chunk.slices[index]))
            }
            values += chunk.probabilities.map { $0 ?? .nan }
        } catch let error as DecodingError {
            throw Self.unreadable(error)
        }
    }

    func finish() throws -> ChampionRows {
        guard let header else { throw Self.unreadable(nil) }
        guard rows.count == header.rowCount,
            let validation = try? ValidationSet(classes: header.classes, rows: rows),
            validation.digest == header.validation
        else {
            throw RegistryClientError(
                .digestMismatch,
                "the rows of \(header.ensemble) do not have the digest announced: the answer was cut or changed")
        }
        return ChampionRows(
            header: header, validation: validation,
            predictions: try Predictions(values: values, classCount: header.classes.count))
    }

    private static func unreadable(_ cause: (any Error)?) -> RegistryClientError {
        RegistryClientError(
            .protocolViolation, "the registry's rows could not be read: is it of another version?", cause: cause)
    }
}
