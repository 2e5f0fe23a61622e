import EnsembleModel
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import RegistryAPI
import RegistryStore

/// The labelled rows that an ensemble's champion is judged on, for simulations of its policy.
struct ChampionRowsRoute {
    let store: RegistryStore
    let limits: DaemonLimits

    func add(to router: RouterGroup<RegistryRequestContext>) {
        router.get("ensembles/:name/champion-rows", use: rows)
    }

    /// Labels of sealed rows, and figures row by row: auditors only, and every reading is on record.
    @Sendable private func rows(_ request: Request, _ context: RegistryRequestContext) async throws -> Response {
        let identity = try context.require(.audit)
        let rows = try await store.championRows(ensemble: context.parameter("name"), reader: identity.name)
        let header = ChampionRowsHeader(
            ensemble: rows.ensemble, epoch: rows.epoch, salt: rows.salt, validation: rows.validation,
            rowCount: rows.rowCount, classes: rows.classes, sequence: rows.sequence, members: rows.members,
            policy: rows.policy)
        let (store, chunkRows) = (store, limits.championRowsInLine)
        let body = ResponseBody { writer in
            try await writer.write(Self.line(header))
            try await store.withBlocks(of: rows) { block in
                for start in stride(from: 0, to: block.ids.count, by: chunkRows) {
                    let range = start..<min(start + chunkRows, block.ids.count)
                    try await writer.write(Self.line(ChampionRowsChunk(block, range, classCount: rows.classes.count)))
                }
            }
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: "application/jsonl", .cacheControl: "no-store"], body: body)
    }

    private static func line(_ value: some Encodable) throws -> ByteBuffer {
        var line = ByteBuffer(bytes: try APIJSON.encoder().encode(value))
        line.writeString("\n")
        return line
    }
}

extension ChampionRowsChunk {
    fileprivate init(_ block: RegistryStore.ChampionRowBlock, _ range: Range<Int>, classCount: Int) {
        let values = block.probabilities[range.lowerBound * classCount..<range.upperBound * classCount]
        self.init(
            ids: Array(block.ids[range]), labels: Array(block.labels[range]), groups: Array(block.groups[range]),
            slices: Array(block.slices[range]), probabilities: values.map { $0.isNaN ? nil : $0 })
    }
}
