import Hummingbird
import RegistryAPI

/// The part of a listing that a request asks for: `?after=KEY&limit=N`.
struct PageRequest {
    let after: String?
    let limit: Int

    init(_ request: Request, limits: DaemonLimits) throws {
        let query = request.uri.queryParameters
        after = query.get("after")
        guard let text = query.get("limit") else {
            limit = limits.defaultPageSize
            return
        }
        guard let number = Int(text), (1...limits.pageSize).contains(number) else {
            throw Problem(
                .badRequest, detail: "limit is '\(text.prefix(20))'; it must be between 1 and \(limits.pageSize)")
        }
        limit = number
    }

    /// ``after`` as a numeric id.
    func afterID() throws -> Int64? {
        guard let after else { return nil }
        guard let id = Int64(after) else {
            throw Problem(.badRequest, detail: "after is '\(after.prefix(20))'; pass the 'next' of the page before")
        }
        return id
    }

    /// Makes a page of at most `limit` items out of one more than that: the surplus tells that there is a next page.
    func cut<Item>(_ items: [Item], key: (Item) -> some CustomStringConvertible) -> Page<Item> {
        let shown = Array(items.prefix(limit))
        return Page(items: shown, next: items.count > limit ? shown.last.map { "\(key($0))" } : nil)
    }
}
