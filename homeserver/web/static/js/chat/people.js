import { Emitter } from "../client/emitter.js";
import { t } from "../i18n.js";

/**
 * @typedef {{name: string, avatar: string | null, detail: string}} Face
 * @typedef {{first_name?: string, last_name?: string, avatar?: string | null, role?: string, position?: string, group?: string}} Described
 */

/**
 * How a person is called.
 *
 * @param {Described} person
 * @param {number} userId
 */
function fullName(person, userId) {
  return [person.first_name, person.last_name].filter(Boolean).join(" ").trim() || t("person.unnamed", { id: String(userId) });
}

/**
 * Everybody whose name this page has come across.
 *
 * @extends {Emitter<{change: null}>}
 */
export class People extends Emitter {
  /** @type {Map<number, Face>} */
  #faces = new Map();

  /** @param {number} ownId */
  constructor(ownId) {
    super();
    this.ownId = ownId;
  }

  /** @param {import("../chatapi.js").Participant[]} participants */
  addParticipants(participants) {
    for (const person of participants) this.#add(person.user_id, person, "");
    this.emit("change", null);
  }

  /** @param {import("../chatapi.js").ChatUser[]} users */
  addUsers(users) {
    for (const user of users) {
      const detail = [user.position || user.role, user.group].filter(Boolean).join(" · ");
      this.#add(user.id, user, detail);
    }
    this.emit("change", null);
  }

  /** @param {number} userId @returns {Face} */
  face(userId) {
    return this.#faces.get(userId) ?? { name: fullName({}, userId), avatar: null, detail: "" };
  }

  /** @param {number} userId */
  isKnown(userId) {
    return this.#faces.has(userId);
  }

  /** The first word of a name, for places with little room. @param {number} userId */
  shortName(userId) {
    return this.face(userId).name.split(/\s+/)[0];
  }

  /**
   * @param {number} userId
   * @param {Described} person
   * @param {string} detail
   */
  #add(userId, person, detail) {
    this.#faces.set(userId, { name: fullName(person, userId), avatar: person.avatar || null, detail });
  }
}
