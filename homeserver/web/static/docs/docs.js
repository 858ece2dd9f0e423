// Starts Swagger UI on the description of this server. Tokens that are typed in stay in this tab.
"use strict";

window.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("docs");
  window.SwaggerUIBundle({
    url: "openapi.json",
    domNode: place,
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    persistAuthorization: false,
    tryItOutEnabled: true,
    validatorUrl: null, // would send the description to another server
    presets: [window.SwaggerUIBundle.presets.apis],
    onComplete: () => place.removeAttribute("aria-busy"),
  });
});
